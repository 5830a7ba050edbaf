"""The tokenizer inside a GGUF file."""

from collections.abc import Mapping

from loquent.text.tokenizer import Tokenizer


def from_gguf(metadata: Mapping[str, object], *, where: str = "GGUF metadata") -> Tokenizer:
    """The tokenizer that a GGUF file's metadata describe; raises CheckpointError."""
    raise NotImplementedError
