"""Loquent's own spelling, for networks that no other family can express: every name is ours."""

from collections.abc import Mapping
from typing import Any

from loquent.architecture import ModelConfig, Positions, StackConfig
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


def _everything(positions: Positions) -> ModelConfig:
    """A network with every weight that there is a name for, but for other positions."""

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
    )


_RULES: Mapping[str, Rule] = {
    name.replace(".0.", ".N."): name.replace(".0.", ".N.")
    for positions in ("learned", "relative")
    for name in shapes(_everything(positions))
}

OWN = Family(
    name="loquent",
    paper="docs/architecture.md",
    architecture="LoquentModel",
    config=_config,
    values=write,
    rules=_RULES,
)
