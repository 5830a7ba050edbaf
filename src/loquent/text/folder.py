"""Open the tokenizer of a folder, whichever files describe it."""

from pathlib import Path

from loquent.text.tokenizer import Tokenizer


def open_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a folder; raises CheckpointError that names the file and what is wrong."""
    raise NotImplementedError
