"""What a family of networks is: a translation of its settings, and a table of its weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from loquent.architecture import ModelConfig


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
    """Queries or keys whose rotated pairs stand side by side in each head, not half a head apart."""

    name: str


@dataclass(frozen=True)
class Ignored:
    """A tensor that the network does not read."""

    reason: str


Rule = str | Transpose | Split | Interleaved | Ignored


class Tensors(Protocol):
    """Named tensors of files, read on access."""

    def __iter__(self) -> Any: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def __getitem__(self, name: str) -> NDArray[Any]: ...


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family of networks as Hugging Face folders spell it; in names, `N` counts layers."""

    name: str  # `model_type` in config.json
    paper: str
    architecture: str  # the class that transformers opens it with
    config: Callable[[Mapping[str, Any]], ModelConfig]  # reads config.json; raises ConfigError
    values: Callable[[ModelConfig], dict[str, Any]]  # the inverse of `config`
    rules: Mapping[str, Rule]  # foreign name → ours
    prefix: str = ""  # of all names but the head's, and sometimes left out


@dataclass(frozen=True, kw_only=True)
class GgufFamily:
    """How GGUF files spell a family."""

    family: Family
    keys: Mapping[str, str]  # metadata key → key of config.json
    complete: Callable[[Mapping[str, Any], Tensors], dict[str, Any]]
    # keys of config.json that follow from the tensors
    rules: Mapping[str, Rule]
