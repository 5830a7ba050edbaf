"""What a family of networks is: a translation of its settings, and a table of its weights."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from numpy.typing import NDArray

from loquent.architecture import ModelConfig, Output, StackConfig
from loquent.checkpoints.families.keys import Keys
from loquent.errors import ConfigError


@dataclass(frozen=True)
class Transpose:
    """A matrix stored as (in, out)."""

    name: str


@dataclass(frozen=True)
class Split:
    """Several maps stored as one, one behind the other along their outputs."""

    names: tuple[str, ...]
    transpose: bool = False  # stored as (in, out)


@dataclass(frozen=True)
class Interleaved:
    """Queries or keys whose rotated pairs stand side by side in a head, not half a head apart."""

    name: str


@dataclass(frozen=True)
class Ignored:
    """A tensor that the network does not read."""

    reason: str


@dataclass(frozen=True)
class Rows:
    """A table whose first rows belong to no token or place, and are zeros where it is written."""

    name: str
    skipped: int


@dataclass(frozen=True)
class Again:
    """A tensor that some files store besides: it must repeat this one of ours."""

    name: str


@dataclass(frozen=True)
class Flat:
    """A vector stored as a matrix of one row; zeros where a file leaves it out."""

    name: str


@dataclass(frozen=True)
class Without:
    """A weight of ours that the family has not: it is zeros, and its value changes nothing."""

    name: str


Rule = str | Transpose | Split | Interleaved | Rows | Flat | Without | Again | Ignored


class Tensors(Protocol):
    """Named tensors of files, read on access."""

    def __iter__(self) -> Iterator[str]:
        """Their names."""

    def __contains__(self, name: object) -> bool:
        """Whether there is one of this name."""

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The values of one."""

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one, without reading it."""


@dataclass(frozen=True)
class HeadForm:
    """How a family spells a kind of head: the class that transformers opens it with, its names."""

    architecture: str
    rules: Mapping[str, Rule]  # beside those of the body, and before them
    also: tuple[str, ...] = ()  # further classes that hold this head and more


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family of networks as Hugging Face folders spell it; in names, `N` counts layers."""

    name: str  # `model_type` in config.json
    paper: str
    architecture: str  # the class that transformers opens it with
    config: Callable[[Mapping[str, Any]], ModelConfig]  # of config.json; raises ConfigError
    values: Callable[[ModelConfig], dict[str, Any]]  # its inverse; what it cannot say is left out
    rules: Mapping[str, Rule]  # foreign name → ours
    prefix: str = ""  # of most foreign names; some files leave it out
    heads: Mapping[Output, HeadForm] = field(default_factory=lambda: MappingProxyType({}))
    # where there are several; which one a file holds, `architectures` in config.json says
    endings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # old endings of foreign names → those in the table
    varying: Callable[[ModelConfig], Mapping[str, Rule]] | None = None
    # rules that depend on further settings
    settled: Callable[[Mapping[str, Any], Tensors], Mapping[str, Any]] | None = None
    # config.json with what it leaves to the tensors of its file
    joined: Callable[[Tensors], Tensors] | None = None
    # the tensors of a file as the rules know them, where several of them are one weight
    preprocessed: tuple[str, ...] = ()  # settings that stand in preprocessor_config.json

    def table(self, config: ModelConfig) -> Mapping[str, Rule]:
        """The rules of the body and of the network's head."""
        form = self.heads.get(config.output)
        rules = self.rules if form is None else {**self.rules, **form.rules}
        return rules if self.varying is None else {**rules, **self.varying(config)}

    def headed(self, config: ModelConfig) -> ModelConfig:
        """The network with the maps that the family's own class puts before such a head.

        Unchanged where the family has no class for its output.
        """
        form = self.heads.get(config.output)
        if form is None:
            return config
        return self.config({"architectures": [form.architecture], **self.values(config)})

    def opened_by(self, config: ModelConfig) -> str:
        """The class that transformers opens the network with."""
        form = self.heads.get(config.output)
        return self.architecture if form is None else form.architecture

    def fitting(self, tensors: Tensors) -> str:
        """The class for a file that names none: that of the head most of whose names are there."""

        def score(form: HeadForm) -> int:
            there = sum(
                name in tensors or name.removeprefix(self.prefix) in tensors for name in form.rules
            )
            return 2 * there - len(form.rules)

        best = max(self.heads.values(), key=score, default=None)
        return self.architecture if best is None else best.architecture


@dataclass(frozen=True, kw_only=True)
class GgufFamily:
    """How GGUF files spell a family: metadata as settings of config.json, and their names."""

    family: Family
    values: Callable[[Keys, Tensors], dict[str, Any]]  # of the metadata below the architecture
    rules: Mapping[str, Rule]


def pairs(
    names: Mapping[str, str], weight: Callable[[str], Rule] = str, bias: Callable[[str], Rule] = str
) -> dict[str, Rule]:
    """Rules for the weight and the bias of each map in a table of foreign name → ours."""
    rules: dict[str, Rule] = {}
    for foreign, ours in names.items():
        rules[f"{foreign}.weight"] = weight(f"{ours}.weight")
        rules[f"{foreign}.bias"] = bias(f"{ours}.bias")
    return rules


def rows(tensors: Tensors, name: str) -> int | None:
    """The first dimension of a tensor, or None where it is missing."""
    shape = tensors.shape(name) if name in tensors else ()
    return shape[0] if shape else None


def only_decoder(config: ModelConfig) -> StackConfig:
    """The decoder of a network that is nothing else; raises ConfigError for others."""
    if config.decoder is None or config.encoder is not None:
        raise ConfigError("this family has a decoder and no encoder.")
    return config.decoder


def both_stacks(config: ModelConfig) -> tuple[StackConfig, StackConfig]:
    """Encoder and decoder of a network that has both; raises ConfigError for others."""
    if config.encoder is None or config.decoder is None:
        raise ConfigError("this family has an encoder and a decoder.")
    return config.encoder, config.decoder


def only_encoder(config: ModelConfig) -> StackConfig:
    """The encoder of a network that is nothing else; raises ConfigError for others."""
    if config.encoder is None or config.decoder is not None:
        raise ConfigError("this family has an encoder and no decoder.")
    return config.encoder
