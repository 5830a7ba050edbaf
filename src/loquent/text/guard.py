"""Faults of the tokenizer library, panics included, become errors that name the file."""

from collections.abc import Iterator
from contextlib import contextmanager

from loquent.errors import CheckpointError

_PANIC = "PanicException"  # what a panic in Rust raises; it is no Exception and has no public name


@contextmanager
def guarded(where: str, doing: str) -> Iterator[None]:
    """Run a call of the tokenizer library; whatever it raises becomes a CheckpointError."""
    try:
        yield
    except Exception as fault:
        raise CheckpointError(f"{doing} failed: {_short(fault)}.", where=where) from fault
    except BaseException as fault:
        if type(fault).__name__ != _PANIC:
            raise
        raise CheckpointError(f"{doing} failed: {_short(fault)}.", where=where) from None


def _short(fault: BaseException, limit: int = 300) -> str:
    text = " ".join(str(fault).split()).rstrip(".")
    return text if len(text) <= limit else f"{text[:limit]}…"
