"""How a base's family spells what an adapter changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loquent.architecture import ModelConfig, Output
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.families.family import Rule
from loquent.checkpoints.translate import names_of, spelled
from loquent.errors import nearest
from loquent.model.names import Shape, shapes

WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."  # of every tensor's name
HEAD = "head.weight"
EMBEDDING = "decoder.embedding.weight"
# What PEFT calls a network with such a head; one that writes has a name by its stacks.
TASKS: Mapping[Output, str] = {
    "class": "SEQ_CLS",
    "labels": "SEQ_CLS",
    "tags": "TOKEN_CLS",
    "span": "QUESTION_ANS",
}


@dataclass(frozen=True)
class Spelling:
    """The names of one network's weights in its family, as if its head were not tied."""

    rules: Mapping[str, Rule]  # by foreign weight
    shapes: Mapping[str, Shape]  # by our weight
    maps: Mapping[str, tuple[str, ...]]  # our linear maps in one, by foreign module of a layer
    prefix: str
    config: ModelConfig

    def named(self, name: str, table: Mapping[str, Any]) -> str | None:
        """A name of the table, with or without the prefix that some leave out."""
        return next((each for each in (name, self.prefix + name) if each in table), None)


def spelling_of(family_name: str, config: ModelConfig) -> Spelling:
    """The names that a family has for the weights of a network."""
    family = FAMILIES[family_name]
    if config.decoder is not None:
        config = replace(config, tied=False)
    ours = shapes(config)
    rules = dict(spelled(family.table(config), config, ours))
    maps = {}
    for foreign, rule in rules.items():
        names = names_of(rule)
        if all(".layers." in name and len(ours[name]) == 2 for name in names):
            bare = tuple(name.removesuffix(".weight") for name in names)
            maps[foreign.removesuffix(".weight")] = bare
    return Spelling(rules, ours, maps, family.prefix, config)


def advice(name: str, names: Iterable[str]) -> str:
    """The nearest names, one for all layers."""
    return nearest(_any_layer(name), {_any_layer(each) for each in names})


def _any_layer(name: str) -> str:
    return ".".join("N" if part.isdecimal() else part for part in name.split("."))
