"""Small networks of every build that the core can describe."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from loquent.architecture import ModelConfig, RotaryConfig, StackConfig
from loquent.model.init import initialize
from loquent.model.model import Model

LENGTH = 160
VOCABULARY = 37


def stack(**changes: Any) -> StackConfig:
    values = {"layers": 2, "width": 24, "length": LENGTH, "heads": 4, "feedforward": 40, **changes}
    return StackConfig(**values)


def decoder(**changes: Any) -> ModelConfig:
    model = {name: changes.pop(name) for name in list(changes) if name in MODEL}
    return ModelConfig(vocabulary=VOCABULARY, decoder=stack(**changes), **model)


def encoder(**changes: Any) -> ModelConfig:
    model = {name: changes.pop(name) for name in list(changes) if name in MODEL}
    return ModelConfig(vocabulary=VOCABULARY, encoder=stack(causal=False, **changes), **model)


def both(**changes: Any) -> ModelConfig:
    model = {name: changes.pop(name) for name in list(changes) if name in MODEL}
    inner = stack(**changes)
    return ModelConfig(
        vocabulary=VOCABULARY,
        encoder=replace(inner, causal=False),
        decoder=replace(inner, cross=True),
        **model,
    )


MODEL = {
    "tied",
    "shared",
    "embedding_scale",
    "logit_scale",
    "head_bias",
    "source_vocabulary",
    "output",
    "outputs",
    "pooling",
    "head_activation",
    "head_norm",
}
ROTARY = {
    "plain": RotaryConfig(),
    "linear": RotaryConfig(scaling="linear", factor=4.0),
    "llama3": RotaryConfig(scaling="llama3", factor=8.0, original_length=40),
    "yarn": RotaryConfig(scaling="yarn", factor=4.0, original_length=40, magnitude=1.14),
    "partial": RotaryConfig(share=1 / 3),
}
BIASES = {"attention_bias": True, "output_bias": True, "feedforward_bias": True}
LLAMA = {"norm": "rms", "gated": True, "activation": "silu", "positions": "rotary"}
BARE = {"positions": "none", "norm_place": "none", "final_norm": False}
TORCHS = BARE | {"residual": False, "feedforward": 0}  # layers as torch's own recurrent ones

CONFIGS: dict[str, ModelConfig] = {
    "gpt2": decoder(**BIASES, activation="gelu_tanh"),
    "llama": decoder(**LLAMA, kv_heads=2, tied=False),
    "qwen2": decoder(**LLAMA, kv_heads=1, attention_bias=True),
    **{f"rotary-{name}": decoder(**LLAMA, rotary=each) for name, each in ROTARY.items()},
    "none": decoder(positions="none", activation="relu"),
    "sinusoidal": decoder(positions="sinusoidal", activation="tanh"),
    "sines-first": decoder(positions="sinusoidal_halves", width=17, heads=1),
    "relative": decoder(positions="relative", relative_buckets=8, relative_distance=32),
    "post": decoder(norm_place="post", final_norm=False, embedding_norm=True, **BIASES),
    "one-head": decoder(heads=1, width=17, feedforward=31),
    "odd-heads": decoder(heads=3, head_width=7, width=20, positions="learned"),
    "many-queries": decoder(heads=6, kv_heads=2, head_width=10, positions="rotary"),
    "no-norm-bias": decoder(norm_bias=False, head_bias=True, tied=False),
    "scaled": decoder(embedding_scale=5.0, logit_scale=0.3, attention_scale=1.0),
    "attention-only": decoder(feedforward=0, layers=3),
    "segments": decoder(segments=2),
    "one-layer": decoder(layers=1, heads=2),
    "encoder": encoder(**BIASES),
    "bert": encoder(norm_place="post", final_norm=False, embedding_norm=True, segments=2),
    "encoder-relative": encoder(positions="relative", norm="rms"),
    "encoder-rotary": encoder(positions="rotary", kv_heads=2),
    "transformer": both(positions="sinusoidal", norm_place="post", final_norm=False, **BIASES),
    "t5": both(positions="relative", norm="rms", attention_scale=1.0, logit_scale=0.2),
    "bart": both(norm_place="post", final_norm=False, embedding_norm=True, head_bias=True),
    "two-vocabularies": both(shared=False, tied=False, source_vocabulary=29, kv_heads=2),
    "two-widths": ModelConfig(
        vocabulary=VOCABULARY,
        shared=False,
        encoder=stack(width=16, causal=False),
        decoder=stack(cross=True, memory_width=16, gated=True, activation="silu"),
    ),
    "rnn": decoder(mixer="rnn", positions="none"),
    "gru": decoder(mixer="gru", positions="none", norm="rms", gated=True),
    "lstm": decoder(mixer="lstm", feedforward=0, norm_place="post", final_norm=False),
    "lstm-bare": decoder(mixer="lstm", tied=False, **TORCHS),
    "conv": decoder(mixer="conv", kernel=4, positions="none"),
    "conv-one": decoder(mixer="conv", kernel=1),
    "bare": decoder(**BARE),
    "no-residual": decoder(residual=False),
    "rnn-encoder": encoder(mixer="rnn", positions="none"),
    "gru-encoder": encoder(mixer="gru", feedforward=0),
    "lstm-encoder": encoder(mixer="lstm", **TORCHS),
    "conv-encoder": encoder(mixer="conv", kernel=5, positions="none"),
    "text-conv": encoder(mixer="text_conv", kernels=(2, 3, 5), activation="relu", **TORCHS),
    "ngrams": encoder(layers=0, ngrams=(2, 3), buckets=53, embedding_scale=1.5),
    "ngrams-tags": encoder(
        layers=0, ngrams=(8,), buckets=1, output="tags", outputs=5, positions="none"
    ),
    "rnn-both": both(mixer="rnn", positions="none"),
    "gru-both": both(mixer="gru", positions="none", norm_place="post", final_norm=False),
    "lstm-both": both(mixer="lstm", positions="none", feedforward=0, kv_heads=2),
    "conv-both": both(mixer="conv", kernel=3),
    "bahdanau": ModelConfig(
        vocabulary=VOCABULARY,
        shared=False,
        encoder=stack(width=16, causal=False, mixer="gru", **TORCHS),
        decoder=stack(mixer="bahdanau", cross=True, memory_width=16, **TORCHS),
    ),
    "bahdanau-deep": ModelConfig(
        vocabulary=VOCABULARY,
        encoder=stack(causal=False),
        decoder=stack(mixer="bahdanau", cross=True, positions="none"),
    ),
    "masked": encoder(output="masked", head_bias=True, logit_scale=0.5),
    "masked-bert": encoder(
        output="masked", head_bias=True, head_activation="gelu", head_norm=True, logit_scale=0.5
    ),
    "writer-hidden": decoder(head_activation="silu", tied=False, norm="rms", head_norm=True),
    "tags": encoder(output="tags", outputs=5, mixer="lstm", positions="none"),
    "span": encoder(output="span", feedforward=0),
    "span-hidden": encoder(output="span", head_activation="tanh"),
    "ctc": encoder(output="ctc", tied=False, layers=1),
}

Make = Callable[..., Model]


def build(config: ModelConfig, seed: int = 0) -> Model:
    """A network in double precision with weights far from their first values."""
    model = Model(config).double()
    initialize(model, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.1 * noise)
    return model.eval().requires_grad_(False)


@pytest.fixture(params=CONFIGS, scope="session")
def model(request: pytest.FixtureRequest) -> Model:
    return build(CONFIGS[request.param])


@pytest.fixture(params=[name for name, each in CONFIGS.items() if each.decoder], scope="session")
def writer(request: pytest.FixtureRequest) -> Model:
    """Those that have a decoder."""
    return build(CONFIGS[request.param])


@pytest.fixture(scope="session")
def make() -> Make:
    return build


@pytest.fixture(scope="session")
def configs() -> dict[str, ModelConfig]:
    return CONFIGS
