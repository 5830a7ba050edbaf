"""What a family of networks is: a translation of its settings, and a table of its weights."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from loquent.architecture import ModelConfig, StackConfig
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


Rule = str | Transpose | Split | Interleaved | Ignored


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
