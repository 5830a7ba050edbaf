"""Models by name: from a name to files on this machine, pulled where they are not here yet."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loquent.checkpoints.catalogue import Entry

Progress = Callable[[int, int | None], None]  # bytes done, bytes in all where known


@dataclass(frozen=True)
class Listed:
    """A model that the catalogue names or that this machine holds."""

    name: str  # what `resolve` takes
    source: str
    entry: Entry | None  # None: pulled by its source, not in the catalogue
    path: Path | None  # None: not on this machine
    bytes: int  # on this machine; where it is not here, what the catalogue says


def home() -> Path:
    """Where models are kept: `$LOQUENT_HOME`, or `loquent` in the platform's cache folder."""
    raise NotImplementedError


def resolve(
    name: str,
    *,
    progress: Progress | None = None,
    offline: bool = False,
    allow_pickle: bool = False,
) -> Path:
    """The file or folder of a model: a catalogue name, a path, `hf:…` or `package:…`, pulled if needed."""
    raise NotImplementedError


def locate(name: str) -> Path | None:
    """The file or folder of a model if it is whole on this machine; never uses the network."""
    raise NotImplementedError


def remove(name: str) -> int:
    """Delete a pulled model; how many bytes became free."""
    raise NotImplementedError


def listing() -> list[Listed]:
    """All models of the catalogue, and what else was pulled."""
    raise NotImplementedError
