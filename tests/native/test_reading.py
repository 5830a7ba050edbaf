"""Whole texts, read natively: what torch tells of them, and the same whatever stands beside."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loquent.architecture import ModelConfig
from loquent.engine.network import Text
from loquent.engine.torch_network import open_network
from loquent.errors import ConfigError, RequestError
from loquent.native import executable, instruction_sets, unexecuted

OUTPUTS: dict[str, dict[str, Any]] = {
    "class": {"outputs": 3, "pooling": "first", "head_activation": "tanh"},
    "labels": {"outputs": 70, "pooling": "mean"},
    "class of a norm": {
        "outputs": 4, "pooling": "max", "head_activation": "relu", "head_norm": True,
    },
    "tags": {"outputs": 5},
    "span": {"head_activation": "gelu"},
    "masked": {"head_bias": True, "head_activation": "gelu", "head_norm": True, "logit_scale": 0.5},
    "masked untied": {"tied": False},
    "ctc": {"head_bias": True},
    "embedding": {"pooling": "mean"},
    "embedding of a map": {"pooling": "last", "head_activation": "tanh"},
    "embedding of few values": {"outputs": 7, "pooling": "mean", "logit_scale": 2.0},
}  # fmt: skip


def described(name: str, builder: Any, seed: int) -> ModelConfig:
    """An encoder of a random build (or, of every third seed, a decoder alone) with this output."""
    stack = builder.config(4 * seed).decoder
    settings = {"output": name.split(maxsplit=1)[0], **OUTPUTS[name]}
    words = 40 + seed
    if seed % 3 == 2:
        return ModelConfig(vocabulary=words, decoder=stack, **settings)
    return ModelConfig(vocabulary=words, encoder=replace(stack, causal=False), **settings)


def texts(config: ModelConfig, seed: int, lengths: list[int]) -> list[Text]:
    rng = np.random.default_rng(seed)
    made = []
    for number, length in enumerate(lengths):
        ids = rng.integers(config.vocabulary, size=length).tolist()
        segments = rng.integers(max(config.top.segments, 1), size=length).tolist()
        wanted = rng.integers(length, size=3).tolist()
        some = config.output == "masked" and number % 2
        made.append(Text(ids, segments if number % 3 else None, wanted if some else None))
    return made


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", OUTPUTS)
def test_values_are_those_of_torch(name, seed, native, builder):
    config = described(name, builder, seed)
    assert executable(config)
    weights = builder.weights(config, seed)
    given = texts(config, seed, [5, 1, 140, 17, 3, 64, 16, 33])
    expected = open_network(config, weights).read(given)
    for isa in instruction_sets():
        got = native(config, weights, isa=isa, threads=1 + seed % 3).read(given)
        for mine, other in zip(got, expected, strict=True):
            assert mine.shape == other.shape
            assert np.abs(mine - other).max() <= 1e-4 * max(1.0, np.abs(other).max() / 10)


@pytest.mark.parametrize("bits", [4, 8, 16, 32])
@pytest.mark.parametrize("name", ["class", "tags", "masked", "embedding"])
def test_a_text_is_read_as_if_it_were_alone(name, bits, native, builder):
    """To the last bit, with any texts beside it, and by any number of threads."""
    config = described(name, builder, 1)
    weights = builder.weights(config, 1)
    rng = np.random.default_rng(2)
    given = texts(config, 2, rng.integers(1, 140, size=24).tolist())  # more than kReadTokens
    for isa in instruction_sets():
        network = native(config, weights, bits, isa=isa, threads=2)
        alone = [network.read([text])[0] for text in given]
        order = rng.permutation(len(given))
        for size in (7, len(given)):
            for start in range(0, len(given), size):
                chosen = order[start : start + size]
                got = network.read([given[number] for number in chosen])
                for number, values in zip(chosen, got, strict=True):
                    np.testing.assert_array_equal(values, alone[number])
        again = native(config, weights, bits, isa=isa, threads=3).read(given)
        for one, other in zip(alone, again, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("bits, tolerance", [(16, 0.03), (8, 0.05), (4, 0.3)])
@pytest.mark.parametrize("name", ["class", "masked", "embedding"])
def test_fewer_bits_come_close(name, bits, tolerance, native, builder):
    config = described(name, builder, 0)
    weights = builder.weights(config, 0)
    given = texts(config, 0, [40, 7, 90])
    exact, rough = native(config, weights).read(given), native(config, weights, bits).read(given)
    a, b = (np.concatenate([each.ravel() for each in made]) for made in (exact, rough))
    assert 0 < np.linalg.norm(a - b) / np.linalg.norm(a) < tolerance


def test_wanted_places_come_as_they_are_asked_for(native, builder):
    config = described("masked", builder, 0)
    network = native(config, builder.weights(config, 0))
    ids = list(range(9))
    whole = network.read([Text(ids)])[0]
    some = network.read([Text(ids, wanted=[4, 0, 4]), Text(ids), Text(ids, wanted=[])])
    np.testing.assert_array_equal(some[0], whole[[4, 0, 4]])
    np.testing.assert_array_equal(some[1], whole)
    assert some[2].shape == (0, config.vocabulary)
    assert network.read([]) == []


@pytest.mark.parametrize("runtime", ["native", "torch"])
def test_what_cannot_be_read_is_told_by_its_number(runtime, native, builder):
    config = described("tags", builder, 0)
    config = replace(config, encoder=replace(config.encoder, segments=2, positions="learned"))
    weights = builder.weights(config, 0)
    network = native(config, weights) if runtime == "native" else open_network(config, weights)
    for text, told in (
        (Text([]), "text 2 cannot be read: it has no tokens"),
        (Text([1] * 151), "it has 151 tokens, but the network reads 150 at most"),
        (Text([config.vocabulary]), f"an id is none of the {config.vocabulary} tokens"),
        (Text([-1]), "an id is none of"),
        (Text([1, 1], [0]), "each id needs a segment from 0 to 1"),
        (Text([1, 1], [0, 2]), "each id needs a segment from 0 to 1"),
        (Text([1, 1], wanted=[2]), "a wanted place is none of its 2"),
    ):
        with pytest.raises(RequestError, match=told):
            network.read([Text([1]), text])


def test_a_network_that_writes_tells_nothing_of_whole_texts(native, builder):
    config = builder.config(1)
    weights = builder.weights(config, 1)
    for network in (native(config, weights), open_network(config, weights)):
        with pytest.raises(RequestError, match="tells nothing of whole texts"):
            network.read([Text([1])])


def test_the_compiled_part_checks_what_it_is_given(native, builder):
    """Whoever calls it without `NativeNetwork` cannot make it read beside its arrays."""
    config = described("masked", builder, 0)
    config = replace(config, encoder=replace(config.encoder, segments=2, positions="learned"))
    network = native(config, builder.weights(config, 0)).network
    none, no = np.zeros(0, np.int32), np.zeros(0, np.bool_)

    def numbers(*values: int) -> np.ndarray:
        return np.array(values, np.int32)

    for ids, lengths, segments, wanted, told in (
        (numbers(1, 2), numbers(1), none, no, "left over"),
        (numbers(1, 2), numbers(2, 1), none, no, "some of its ids are missing"),
        (numbers(1, 2), numbers(2, 0), none, no, "text 2 .* no tokens"),
        (numbers(1, 2), numbers(-1, 3), none, no, "text 1 .* no tokens"),
        (numbers(1, 2), numbers(2), numbers(0), no, "segments differ in length"),
        (numbers(1, 2), numbers(2), numbers(0, 2), no, "no segment 2"),
        (numbers(1, 2), numbers(2), none, np.ones(3, np.bool_), "wanted differ in length"),
        (numbers(1, 99), numbers(2), none, no, "the id 99 is none of the 40"),
        (np.ones(151, np.int32), numbers(151), none, no, "reads 150 at most"),
    ):
        with pytest.raises(ValueError, match=told):
            network.read(ids, lengths, segments, wanted)


def test_a_network_that_tells_of_texts_writes_nothing(native, builder):
    for seed in (0, 2):  # an encoder, and a decoder alone
        config = described("class", builder, seed)
        network = native(config, builder.weights(config, seed))
        with pytest.raises(ConfigError, match="whose output is 'class' writes no tokens"):
            network.new_memory(1, 10)
        with pytest.raises(ValueError, match=r"writes no tokens|no memory"):
            network.network.new_memory(1)


def test_an_encoder_with_a_decoder_tells_nothing_natively(builder):
    config = replace(builder.config(3), output="class", outputs=2)
    assert "the output 'class' of an encoder with a decoder" in unexecuted(config)
    config = replace(builder.config(1), head_activation="tanh")
    assert unexecuted(config) == "a map before the head of a network that writes"
