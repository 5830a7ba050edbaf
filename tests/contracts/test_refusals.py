"""What a network in torch cannot compute is refused by name, before anything is read."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.files.safetensors import open_safetensors, write_safetensors
from loquent.engine.network import Tokens
from loquent.engine.torch_network import TorchNetwork, open_network
from loquent.errors import ConfigError, RequestError
from loquent.model.model import load, weights

SHAPE = {"layers": 1, "width": 8, "heads": 2, "feedforward": 8}
DECODER = ModelConfig(vocabulary=20, decoder=StackConfig(length=30, **SHAPE))
BOTH = ModelConfig(
    vocabulary=20,
    encoder=StackConfig(length=30, causal=False, **SHAPE),
    decoder=StackConfig(length=30, cross=True, **SHAPE),
)


def flat(row: int, start: int, ids: list[int]) -> Tokens:
    count = len(ids)
    return Tokens(
        np.array(ids, np.int32),
        np.full(count, row, np.int32),
        np.arange(start, start + count, dtype=np.int32),
        np.ones(count, np.bool_),
    )


def test_tokens_out_of_range_leave_the_memory_as_it_was(make):
    network = TorchNetwork(make(DECODER))
    memory = network.new_memory(2, 30)
    whole = network.step(network.new_memory(1, 30), flat(0, 0, [1, 2, 3, 4]))
    network.step(memory, flat(0, 0, [1, 2, 3]))
    for part, message in (
        ((0, 3, [20]), "the id 20 is none of the 20 tokens."),
        ((0, 3, [-1]), "the id -1 is none of the 20 tokens."),
        ((2, 0, [1]), "row 2 is not one of the memory's 2."),
        ((-1, 0, [1]), "row -1 is not one of the memory's 2."),
        ((0, 4, [1]), "row 0 has 3 tokens and cannot go on at position 4."),
        ((1, 1, [1]), "row 1 has 0 tokens and cannot go on at position 1."),
        ((1, -1, [1]), "a position is negative."),
        ((0, 3, [1] * 28), "position 30 is beyond the last of 30."),
    ):
        with pytest.raises(RequestError, match=re.escape(message)):
            network.step(memory, flat(*part))
    odd = flat(0, 3, [1, 2])
    odd.positions[1] = 7
    with pytest.raises(RequestError, match="do not stand one behind the other"):
        network.step(memory, odd)
    assert np.abs(network.step(memory, flat(0, 3, [4])) - whole[3:]).max() < 1e-12


def test_no_tokens_give_no_logits(make):
    network = TorchNetwork(make(DECODER))
    assert network.step(network.new_memory(1, 30), flat(0, 0, [])).shape == (0, 20)


def test_a_row_goes_back_to_an_earlier_place(make):
    network = TorchNetwork(make(DECODER))
    memory = network.new_memory(1, 30)
    network.step(memory, flat(0, 0, list(range(15))))
    found = network.step(memory, flat(0, 5, [9, 8, 7]))
    wanted = network.step(network.new_memory(1, 30), flat(0, 0, [0, 1, 2, 3, 4, 9, 8, 7]))
    assert np.abs(found - wanted[5:]).max() < 1e-12
    with pytest.raises(RequestError, match="row 0 has 8 tokens and cannot go on at position 9"):
        network.step(memory, flat(0, 9, [1]))


def test_sources(make):
    network = TorchNetwork(make(BOTH))
    memory = network.new_memory(2, 30)
    for ids, message in (
        ([], "the source has no tokens"),
        ([20], "the id 20 is none of the 20"),
        ([1] * 31, "position 30 is beyond the last of 30"),
    ):
        with pytest.raises(RequestError, match=message):
            memory.attach(0, ids)
    with pytest.raises(RequestError, match="row 0 has no source: attach one first"):
        network.step(memory, flat(0, 0, [1]))
    memory.attach(0, [1, 2])
    network.step(memory, flat(0, 0, [1]))
    memory.clear(0)
    with pytest.raises(RequestError, match="row 0 has no source"):
        network.step(memory, flat(0, 0, [1]))
    with pytest.raises(RequestError, match="attends to no source"):
        TorchNetwork(make(DECODER)).new_memory(1, 30).attach(0, [1])


def test_only_a_causal_decoder_has_a_memory(make):
    encoder = ModelConfig(vocabulary=20, encoder=StackConfig(length=30, causal=False, **SHAPE))
    seeing = ModelConfig(vocabulary=20, decoder=StackConfig(length=30, causal=False, **SHAPE))
    for config in (encoder, seeing):
        with pytest.raises(ConfigError, match="only a causal decoder"):
            TorchNetwork(make(config)).new_memory(1, 30)


def test_a_pass_beyond_the_learned_positions(make):
    model = make(DECODER)
    ids = torch.zeros(2, 31, dtype=torch.long)
    with pytest.raises(RequestError, match="position 30 is beyond the last of 30"):
        model(ids)
    padded = model(ids, torch.tensor([30, 4]))  # only padding stands beyond
    assert float((padded[:, :30] - model(ids[:, :30])).abs().max()) < 1e-12


def test_a_source_is_given_exactly_where_there_is_an_encoder(make):
    ids = torch.zeros(1, 3, dtype=torch.long)
    for call in (lambda: make(BOTH)(ids), lambda: make(DECODER)(ids, None, ids)):
        with pytest.raises(RequestError, match="exactly where there is an encoder"):
            call()
    with pytest.raises(RequestError, match="no encoder to read"):
        make(DECODER).encode(ids, torch.tensor([3]))


@pytest.mark.parametrize(
    ("precision", "near"), [("float64", 1e-12), ("float32", 1e-5), ("bfloat16", 0.2)]
)
def test_precisions(make, precision, near):
    model = make(DECODER)
    wanted = model(torch.arange(10)[None])[0].numpy()
    network = open_network(DECODER, weights(model), precision=precision)
    made = network.step(network.new_memory(1, 30), flat(0, 0, list(range(10))))
    assert made.dtype == (np.float64 if precision == "float64" else np.float32)
    assert np.abs(made - wanted).max() < near
    kept = weights(network.model)["decoder.norm.weight"].dtype
    assert kept == np.dtype("float32" if precision == "bfloat16" else precision)


def test_unknown_precisions_and_devices(make):
    made = weights(make(DECODER))
    with pytest.raises(ConfigError, match="no precision 'float23'"):
        open_network(DECODER, made, precision="float23")
    with pytest.raises(RequestError, match="the device 'toaster' cannot be used"):
        open_network(DECODER, made, device="toaster")


def test_a_network_from_a_file_learns_only_in_copies(make, tmp_path: Path):
    """Writing to a view of the read-only file would end the process."""
    made = {name: each.astype(np.float32) for name, each in weights(make(DECODER)).items()}
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {name: each.shape for name, each in made.items()}, made.__getitem__)
    container = open_safetensors(path)
    mapped = {name: container[name] for name in container}
    frozen = load(DECODER, mapped)
    assert not any(each.requires_grad for each in frozen.parameters())
    name = "decoder.layers.0.feedforward.up.weight"
    assert np.shares_memory(weights(frozen)[name], mapped[name])
    model = load(DECODER, mapped, trainable=True)
    model(torch.arange(5)[None]).square().sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert not np.array_equal(weights(model)[name], made[name])
    assert np.array_equal(mapped[name], made[name])


def test_segments_reach_the_stack_that_reads_them(make):
    ids = torch.arange(6)[None]
    kinds = torch.tensor([[0, 0, 0, 1, 1, 1]])
    stack = StackConfig(length=30, causal=False, segments=2, **SHAPE)
    model = make(ModelConfig(vocabulary=20, encoder=stack))
    first = model(ids, segments=torch.zeros_like(ids))
    assert torch.equal(model(ids), first)
    assert float((model(ids, segments=kinds) - first).abs().max()) > 1e-3
    swapped = model(ids, segments=kinds)
    with torch.no_grad():  # the same, where the two kinds and their rows change places
        model.encoder.segments.weight.copy_(model.encoder.segments.weight.flip(0))
    assert float((model(ids, segments=1 - kinds) - swapped).abs().max()) < 1e-12
    decoder = make(ModelConfig(vocabulary=20, decoder=StackConfig(length=30, segments=2, **SHAPE)))
    assert float((decoder(ids, segments=kinds) - decoder(ids)).abs().max()) > 1e-3


PLAIN = {"layers": 1, "width": 8, "length": 30, "positions": "none"}
READING = StackConfig(causal=False, **PLAIN)
RECURRENT = {
    "lstm": ModelConfig(vocabulary=20, decoder=StackConfig(mixer="lstm", **PLAIN)),
    "conv": ModelConfig(vocabulary=20, decoder=StackConfig(mixer="conv", kernel=3, **PLAIN)),
    "bahdanau": ModelConfig(
        vocabulary=20,
        encoder=READING,
        decoder=StackConfig(mixer="bahdanau", cross=True, **PLAIN),
    ),
}


@pytest.mark.parametrize("mixer", RECURRENT)
def test_what_is_kept_of_all_tokens_cannot_go_back(mixer: str, make):
    network = TorchNetwork(make(RECURRENT[mixer]))
    memory = network.new_memory(2, 30)
    if network.config.encoder is not None:
        memory.attach(0, [1, 2])
    whole = network.step(memory, flat(0, 0, [1, 2, 3, 4, 5]))
    again = network.step(memory, flat(0, 0, [1, 2, 3]))  # its start is known
    assert np.abs(again - whole[:3]).max() < 1e-12
    with pytest.raises(RequestError, match=f"cannot go back to position 2: a '{mixer}' network"):
        network.step(memory, flat(0, 2, [1]))
    assert np.abs(network.step(memory, flat(0, 3, [4, 5])) - whole[3:]).max() < 1e-12


def test_only_an_output_of_tokens_writes(make):
    stack = StackConfig(length=30, **SHAPE)
    tags = ModelConfig(vocabulary=20, decoder=stack, output="tags", outputs=3)
    with pytest.raises(ConfigError, match="whose output is 'tags' writes no tokens"):
        TorchNetwork(make(tags)).new_memory(1, 30)


def test_an_encoder_alone_reads_no_other_source(make):
    encoder = ModelConfig(vocabulary=20, encoder=StackConfig(length=30, causal=False, **SHAPE))
    ids = torch.zeros(1, 3, dtype=torch.long)
    with pytest.raises(RequestError, match="exactly where there is an encoder and a decoder"):
        make(encoder)(ids, None, ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "class"}, "the output 'class' needs outputs of at least 1, not 0"),
        ({"output": "span", "outputs": 3}, "the output 'span' has no number of outputs"),
        ({"output": "embedding", "outputs": -1}, "'embedding' has no number of outputs, but it is"),
        ({"output": "tags", "outputs": 2, "labels": ("a",)}, "1 labels are not the names of 2"),
        ({"output": "tags", "outputs": 2, "labels": ("a", "a")}, "labels have a name twice"),
        ({"output": "class", "outputs": 2, "head_norm": True}, "head_norm stands behind the map"),
        ({"head_activation": "tanh"}, "whose output is 'token' has no head, and no map"),
        ({"output": "masked", "source_vocabulary": 9}, "an encoder of the same vocabulary"),
    ],
)
def test_impossible_outputs(changes, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(vocabulary=20, encoder=READING, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": -1}, "layers must not be negative"),
        ({"mixer": "gru", "width": 7, "causal": False}, "needs an even width, not 7"),
        ({"mixer": "conv"}, "needs a kernel"),
        ({"mixer": "conv", "kernel": 4, "causal": False}, "must be odd, not 4"),
        ({"mixer": "text_conv", "causal": False}, "needs kernels of at least 1"),
        ({"mixer": "text_conv", "causal": False, "kernels": (2, 0)}, "kernels of at least 1"),
        ({"mixer": "text_conv", "causal": False, "kernels": (2, 3, 4)}, "maps of 3 kernels"),
        ({"mixer": "text_conv", "kernels": (2,)}, "no causal and no cross form"),
        ({"mixer": "bahdanau"}, "it needs cross"),
        ({"mixer": "lstm", "cross": True, "heads": 3}, "does not divide into 3 heads"),
        ({"mixer": "lstm", "positions": "relative"}, "need the mixer 'attention'"),
        ({"ngrams": (2,), "buckets": 9}, "ngrams are for a stack of embeddings alone"),
        ({"ngrams": (1,)}, r"ngrams are of 2 to 8 tokens, each size once, not \[1\]"),
        ({"ngrams": (3, 3)}, r"each size once, not \[3, 3\]"),
        ({"ngrams": (2,)}, "buckets must be from 1 to 67,108,864 with ngrams and 0 without, not 0"),
        ({"buckets": 9}, "and 0 without, not 9"),
    ],
)
def test_impossible_stacks(changes, message):
    with pytest.raises(ConfigError, match=message):
        StackConfig(**PLAIN | changes)
