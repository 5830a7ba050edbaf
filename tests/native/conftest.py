"""Random networks of odd shapes, packed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from loquent.architecture import ModelConfig, Positions, RotaryConfig, StackConfig
from loquent.checkpoints.pack import pack
from loquent.engine.native_network import NativeNetwork
from loquent.engine.network import Tokens
from loquent.model.names import shapes

Weights = dict[str, np.ndarray]
LENGTH = 150
OF_FRONTS = ("convolution",)  # positions that only what reads sounds has


def random_stack(rng: np.random.Generator) -> StackConfig:
    def either(*values):
        return values[int(rng.integers(len(values)))]

    heads = int(rng.integers(1, 7))
    kv_heads = either(*[each for each in range(1, heads + 1) if heads % each == 0])
    positions = either(*(each for each in get_args(Positions) if each not in OF_FRONTS))
    scaling = either("none", "linear", "llama3", "yarn")
    rotary = RotaryConfig(
        base=either(100.0, 10000.0),
        share=either(1.0, 0.5),
        scaling=scaling,
        factor=1.0 if scaling == "none" else 4.0,
        original_length=30,
        magnitude=either(1.0, 1.2),
    )
    return StackConfig(
        layers=int(rng.integers(1, 4)),
        width=int(rng.integers(3, 90)),
        length=LENGTH,
        heads=heads,
        kv_heads=kv_heads,
        head_width=4 * int(rng.integers(1, 10)),
        attention_bias=either(True, False),
        output_bias=either(True, False),
        attention_scale=either(0.0, 0.3),
        feedforward=either(0, 1, 33, 64, 130),
        feedforward_bias=either(True, False),
        activation=either("relu", "gelu", "gelu_tanh", "silu", "tanh"),
        gated=either(True, False),
        norm=either("layer", "rms"),
        norm_bias=either(True, False),
        norm_place=either("pre", "post"),
        embedding_norm=either(True, False),
        final_norm=either(True, False),
        positions=positions,
        rotary=rotary,
        relative_buckets=8,
        relative_distance=either(20, 64),
        segments=either(0, 2),
    )


def random_config(seed: int) -> ModelConfig:
    """A decoder, or an encoder and a decoder where the seed says so."""
    rng = np.random.default_rng(seed)
    inner = random_stack(rng)
    encoder = replace(inner, causal=False) if seed % 4 == 3 else None
    return ModelConfig(
        vocabulary=int(rng.integers(5, 200)),
        encoder=encoder,
        decoder=replace(inner, cross=encoder is not None),
        tied=bool(rng.integers(2)),
        shared=bool(rng.integers(2)),
        head_bias=bool(rng.integers(2)),
        embedding_scale=float(rng.choice([1.0, 3.0])),
        logit_scale=float(rng.choice([1.0, 0.5])),
    )


def random_weights(config: ModelConfig, seed: int) -> Weights:
    """Values of the size that trained networks have, none of them zero."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, shape in shapes(config).items():
        values = rng.standard_normal(shape)
        if name.endswith("norm.weight"):
            made[name] = 1 + 0.2 * values
        else:
            made[name] = values * (0.2 if len(shape) == 1 else shape[1] ** -0.5)
    return {name: values.astype(np.float32) for name, values in made.items()}


def flat(*rows: tuple[int, int, list[int]]) -> Tokens:
    """Tokens of (row, first position, ids) parts; all ask for logits."""
    count = sum(len(ids) for _, _, ids in rows)
    return Tokens(
        ids=np.array([each for _, _, ids in rows for each in ids], np.int32),
        rows=np.array([row for row, _, ids in rows for _ in ids], np.int32),
        positions=np.array([at + i for _, at, ids in rows for i in range(len(ids))], np.int32),
        wanted=np.ones(count, np.bool_),
    )


Make = Callable[..., NativeNetwork]


@pytest.fixture
def native(tmp_path: Path) -> Make:
    """Packs a network and opens it."""

    def make(config: ModelConfig, weights: Weights, bits: int = 32, **options) -> NativeNetwork:
        path = tmp_path / f"{bits}.loquent"
        pack(config, weights, path, bits)
        return NativeNetwork(path, **options)

    return make


@pytest.fixture
def builder():
    """The functions above, for tests to call."""

    class Builder:
        config = staticmethod(random_config)
        weights = staticmethod(random_weights)
        flat = staticmethod(flat)

    return Builder
