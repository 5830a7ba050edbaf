"""The native runtime in single precision computes what the torch executor computes."""

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.model import load
from loquent.native import instruction_sets


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed, native, builder):
    config = builder.config(seed)
    weights = builder.weights(config, seed)
    rng = np.random.default_rng(seed)
    ids = rng.integers(config.vocabulary, size=int(rng.integers(20, 140)))
    words = config.source_vocabulary or config.vocabulary
    source = rng.integers(words, size=int(rng.integers(1, 40)))
    seen = {} if config.encoder is None else {"source": torch.from_numpy(source[None])}
    model = load(config, weights)
    expected = model(torch.from_numpy(ids[None]), **seen)[0].numpy()
    for name in instruction_sets():
        network = native(config, weights, isa=name, threads=1 + seed % 3)
        memory = network.new_memory(2, 200)
        if config.encoder is not None:
            memory.attach(1, source.tolist())
        cut = int(rng.integers(1, len(ids)))
        first = network.step(memory, builder.flat((1, 0, ids[:cut].tolist())))
        rest = network.step(memory, builder.flat((1, cut, ids[cut:].tolist())))
        got = np.concatenate([first, rest])
        assert np.abs(got - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max() / 10)


@pytest.mark.parametrize("place", ["pre", "post"])
def test_encoder_alone(place, native, builder):
    stack = StackConfig(
        layers=2,
        width=52,
        length=70,
        heads=4,
        feedforward=90,
        causal=False,
        norm_place=place,
        final_norm=place == "pre",
        embedding_norm=True,
        segments=2,
    )
    config = ModelConfig(vocabulary=60, encoder=stack)
    weights = builder.weights(config, 1)
    ids = np.random.default_rng(2).integers(60, size=41)
    expected = load(config, weights)(torch.from_numpy(ids[None]))[0].numpy()
    got = native(config, weights).encode(ids.tolist())
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-5


@pytest.mark.parametrize("bits, tolerance", [(16, 0.03), (8, 0.03), (4, 0.25)])
def test_fewer_bits_come_close(bits, tolerance, native, builder):
    config = builder.config(5)
    weights = builder.weights(config, 5)
    ids = np.random.default_rng(5).integers(config.vocabulary, size=60).tolist()
    exact = native(config, weights)
    rough = native(config, weights, bits)
    a, b = (each.step(each.new_memory(1, 60), builder.flat((0, 0, ids))) for each in (exact, rough))
    assert 0 < np.linalg.norm(a - b) / np.linalg.norm(a) < tolerance
