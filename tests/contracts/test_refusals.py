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
