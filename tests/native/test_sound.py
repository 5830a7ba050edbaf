"""Networks that read a sound, natively: what torch computes, and the same whatever is beside."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loquent.architecture import FrontConfig, ModelConfig
from loquent.engine.network import Text
from loquent.engine.torch_network import open_network
from loquent.errors import RequestError
from loquent.native import instruction_sets

FRONTS = (
    FrontConfig(features=10),
    FrontConfig(features=80, kernels=(5, 3, 1), strides=(2, 1, 2), activation="relu"),
    FrontConfig(features=3, kernels=(7,), strides=(3,), activation="tanh"),
)


def described(builder: Any, seed: int, **output: Any) -> ModelConfig:
    """An encoder of a random build, before a decoder or with an output of its own."""
    stack = builder.config(4 * seed).decoder
    encoder = replace(stack, causal=False, segments=0, front=FRONTS[seed % 3])
    if output:
        return ModelConfig(vocabulary=50, tied=False, encoder=encoder, **output)
    decoder = replace(builder.config(4 * seed + 4).decoder, cross=True, memory_width=stack.width)
    return ModelConfig(vocabulary=50, shared=False, encoder=encoder, decoder=decoder)


def sounds(config: ModelConfig, seed: int, lengths: list[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    bins = config.encoder.front.features
    return [rng.standard_normal((bins, each)).astype(np.float32) for each in lengths]


def close(mine: np.ndarray, other: np.ndarray) -> bool:
    assert mine.shape == other.shape
    return bool(np.abs(mine - other).max() <= 1e-4 * max(1.0, np.abs(other).max() / 10))


@pytest.mark.parametrize("seed", range(6))
def test_decoders_behind_a_sound(seed, native, builder):
    config = described(builder, seed)
    weights = builder.weights(config, seed)
    rng = np.random.default_rng(seed)
    sound = sounds(config, seed, [101])[0]
    ids = rng.integers(50, size=70).tolist()
    heads = [(layer, layer % config.decoder.heads) for layer in range(config.decoder.layers)] * 2
    reference = open_network(config, weights)
    memory = reference.new_memory(2, 150)
    memory.attach(1, sound)
    expected = reference.step(memory, builder.flat((1, 0, ids)))
    seen = memory.align(1, ids, heads)
    for isa in instruction_sets():
        network = native(config, weights, isa=isa, threads=1 + seed % 3)
        memory = network.new_memory(2, 150)
        memory.attach(1, sound)
        first = network.step(memory, builder.flat((1, 0, ids[:21])))
        rest = network.step(memory, builder.flat((1, 21, ids[21:])))
        assert close(np.concatenate([first, rest]), expected)
        watched = memory.align(1, ids, heads)
        assert watched.shape == (len(heads), 70, config.encoder.front.states(101))
        assert np.abs(watched - seen).max() <= 1e-4
        assert np.abs(watched.sum(-1) - 1).max() < 1e-4
        assert close(network.step(memory, builder.flat((1, 0, ids))), expected)


OUTPUTS: dict[str, dict[str, Any]] = {
    "ctc": {"output": "ctc", "head_bias": True},
    "class": {"output": "class", "outputs": 6, "pooling": "mean"},
    "tags": {"output": "tags", "outputs": 4},
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", OUTPUTS)
def test_whole_sounds_are_read_as_by_torch(name, seed, native, builder):
    config = described(builder, seed, **OUTPUTS[name])
    weights = builder.weights(config, seed)
    given = [Text(features=each) for each in sounds(config, seed, [50, 1, 140, 17, 2, 64])]
    expected = open_network(config, weights).read(given)
    for isa in instruction_sets():
        got = native(config, weights, isa=isa, threads=2).read(given)
        assert all(close(mine, other) for mine, other in zip(got, expected, strict=True))


@pytest.mark.parametrize("bits", [8, 32])
def test_a_sound_is_read_as_if_it_were_alone(bits, native, builder):
    config = described(builder, 1, output="ctc")
    weights = builder.weights(config, 1)
    lengths = np.random.default_rng(3).integers(1, 500, size=30).tolist()  # more than kReadTokens
    given = [Text(features=each) for each in sounds(config, 4, lengths)]
    network = native(
        replace(config, encoder=replace(config.encoder, length=200)),
        weights_of(config, weights),
        bits,
        threads=2,
    )
    together = network.read(given)
    for text, values in zip(given[::5], together[::5], strict=True):
        assert np.array_equal(network.read([text])[0], values)


def weights_of(config: ModelConfig, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """With a longer table of places, where there is one."""
    name = "encoder.positions.weight"
    if name in weights:
        weights = {**weights, name: np.resize(weights[name], (200, config.encoder.width))}
    return weights


@pytest.mark.parametrize("bits, tolerance", [(16, 0.03), (8, 0.05)])
def test_fewer_bits_come_close(bits, tolerance, native, builder):
    config = described(builder, 0)
    weights = builder.weights(config, 5)
    sound = sounds(config, 5, [90])[0]
    exact, rough = (
        native(config, weights).encode(sound),
        native(config, weights, bits).encode(sound),
    )
    assert 0 < np.linalg.norm(exact - rough) / np.linalg.norm(exact) < tolerance


def test_what_is_no_sound_is_refused(native, builder):
    config = described(builder, 0)
    network = native(config, builder.weights(config, 0))
    memory = network.new_memory(1, 50)
    for source in ([1, 2], np.zeros((9, 5), np.float32), np.zeros((10, 0), np.float32)):
        with pytest.raises(RequestError):
            memory.attach(0, source)
    with pytest.raises(RequestError, match="position"):
        long = replace(config, encoder=replace(config.encoder, positions="learned", length=20))
        made = native(long, builder.weights(long, 0))
        made.new_memory(1, 50).attach(0, sounds(config, 0, [99])[0])
    with pytest.raises(RequestError, match="source"):
        memory.align(0, [1], [(0, 0)])
    memory.attach(0, sounds(config, 0, [30])[0])
    with pytest.raises(RequestError, match="head"):
        memory.align(0, [1], [(99, 0)])
    alone = described(builder, 1, output="ctc")
    reader = native(alone, builder.weights(alone, 1))
    for text in (Text([1]), Text(features=np.zeros((79, 5), np.float32))):
        with pytest.raises(RequestError):
            reader.read([text])
    words = builder.config(3)
    other = native(words, builder.weights(words, 3))
    with pytest.raises(RequestError):
        other.new_memory(1, 9).attach(0, sounds(config, 0, [30])[0])
