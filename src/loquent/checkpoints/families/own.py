"""Loquent's own spelling, for networks that no other family can express: every name is ours."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from loquent.architecture import (
    FRONT_LAYERS,
    FrontConfig,
    Mixer,
    ModelConfig,
    Positions,
    SpeechConfig,
    StackConfig,
)
from loquent.checkpoints.families.family import Family, Rule
from loquent.checkpoints.families.keys import INERT, LAYERS
from loquent.errors import ConfigError
from loquent.model.names import shapes
from loquent.settings import read, write


def _config(values: Mapping[str, Any]) -> ModelConfig:
    config = read(ModelConfig, {name: value for name, value in values.items() if name not in INERT})
    for stack in (config.encoder, config.decoder):
        if stack is not None and stack.layers > LAYERS:
            raise ConfigError(f"layers must be at most {LAYERS}, not {stack.layers}.")
    return config


def _attending(positions: Positions) -> ModelConfig:
    """A network with every weight of attention that there is a name for."""

    def stack(cross: bool) -> StackConfig:
        return StackConfig(
            layers=1, width=2, length=1, cross=cross, attention_bias=True, output_bias=True,
            feedforward=1, feedforward_bias=True, gated=True, embedding_norm=True,
            positions=positions, segments=1,
        )  # fmt: skip

    return ModelConfig(
        vocabulary=1,
        encoder=stack(False),
        decoder=stack(True),
        tied=False,
        shared=False,
        head_bias=True,
        head_activation="tanh",
        head_norm=True,
    )


def _mixing(mixer: Mixer) -> Iterator[ModelConfig]:
    """Networks with every weight of another mixer that there is a name for."""
    cross = mixer == "bahdanau"
    stack = StackConfig(
        layers=1, width=2, length=0, mixer=mixer, causal=cross, cross=cross, kernel=1, kernels=(1,),
        positions="none",
    )  # fmt: skip
    source = StackConfig(layers=1, width=2, length=1, causal=False)
    yield ModelConfig(vocabulary=1, decoder=stack, encoder=source if cross else None)
    if not cross:
        yield ModelConfig(vocabulary=1, encoder=stack)


def _everything() -> Iterator[ModelConfig]:
    yield from (_attending("learned"), _attending("relative"))
    hearing = StackConfig(layers=1, width=2, length=1, causal=False, front=FrontConfig(features=1))
    yield ModelConfig(vocabulary=1, encoder=hearing, tied=False, output="ctc")
    front = FrontConfig(
        features=1, kernels=(1,) * FRONT_LAYERS, strides=(1,) * FRONT_LAYERS, norms="all",
        projected=True, projection_norm=True,
    )  # fmt: skip
    hearing = replace(hearing, front=front, positions="convolution", position_kernel=1)
    yield ModelConfig(vocabulary=1, encoder=hearing, tied=False, output="ctc")
    plain = StackConfig(layers=1, width=2, length=1, causal=False)
    yield ModelConfig(vocabulary=1, encoder=plain, output="speech", speech=SpeechConfig())
    bag = StackConfig(layers=0, width=2, length=1, causal=False, ngrams=(2,), buckets=1)
    yield ModelConfig(vocabulary=1, encoder=bag)
    for mixer in get_args(Mixer):
        if mixer != "attention":
            yield from _mixing(mixer)


_RULES: Mapping[str, Rule] = {
    name.replace(".0.", ".N."): name.replace(".0.", ".N.")
    for config in _everything()
    for name in shapes(config)
}

OWN = Family(
    name="loquent",
    paper="docs/architecture.md",
    architecture="LoquentModel",
    config=_config,
    values=write,
    rules=_RULES,
)
