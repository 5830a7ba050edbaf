"""A checkpoint: a description of a network, its weights under our names, and its tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.generation import Generation
from loquent.text.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a checkpoint beside its numbers."""

    family: str  # as in config.json's model_type
    name: str
    dtype: str  # how most weights are stored: "F32", "BF16", "Q4_1"
    license: str = ""
    executor: Literal["loquent", "transformers"] = "loquent"
    ignored: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # tensors of the file that the network does not read, and why


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A network that can be executed: what it is, its weights and its tokenizer."""

    config: ModelConfig
    weights: Mapping[str, NDArray[Any]]  # our names (docs/architecture.md), read on access
    tokenizer: Tokenizer | None
    card: Card
    generation: Generation = field(default_factory=Generation)
    path: Path | None = None  # the folder or file that it was opened from
    files: tuple[Path, ...] = ()  # the files that hold its weights

    @classmethod
    def open(cls, path: Path, *, allow_pickle: bool = False) -> "Checkpoint":
        """Open a Hugging Face folder, a .safetensors file beside its config.json, or a .gguf file.

        Raises CheckpointError with the file and the place of everything that is not as it should
        be, and ConfigError for settings of a network that is not executed here.
        """
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write a new folder that Loquent and transformers open.

        Raises CheckpointError where the folder exists, or the family cannot express the network.
        """
        raise NotImplementedError

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights, as hexadecimal digits."""
        raise NotImplementedError
