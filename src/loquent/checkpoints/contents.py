"""What a checkpoint holds, without what opens it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.generation import Generation
from loquent.checkpoints.sentences import Sentences
from loquent.text.tokenizer import Tokenizer

SOURCE = "source"  # folder of the tokenizer of an encoder that has its own


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a checkpoint beside its numbers."""

    family: str  # as in config.json's model_type
    name: str
    dtype: str  # how most weights are stored: "F32", "BF16", "Q4_1"
    license: str = ""
    text: str = ""  # of its README.md, where that is to go on with it
    executor: Literal["loquent", "transformers"] = "loquent"
    ignored: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # tensors of the file that the network does not read, and why


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """What a network is, its weights, its tokenizer and where they come from."""

    config: ModelConfig
    weights: Mapping[str, NDArray[Any]]  # our names (docs/architecture.md), read on access
    tokenizer: Tokenizer | None
    card: Card
    generation: Generation = field(default_factory=Generation)
    path: Path | None = None  # the folder or file that it was opened from
    files: tuple[Path, ...] = ()  # the files that hold its weights
    stored: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # how each weight is stored, as in Card.dtype, where its files were opened
    known: str = ""  # the fingerprint of its weights, where no file need be read for it
    sentences: Sentences | None = None  # how it is meant to embed texts, where its makers say so
    source_tokenizer: Tokenizer | None = None  # of what an encoder reads, where it has its own
