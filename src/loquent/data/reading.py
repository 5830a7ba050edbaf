"""What the readers of all formats share: records, limits, and where notes and faults go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from loquent.errors import DataError


@dataclass(frozen=True)
class Record:
    """One record of a data file."""

    values: Mapping[str, Any]
    where: str  # "data.jsonl:17": the file and the line on which it starts
    index: int  # its number in the source, from 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a file may hold before it is refused."""

    line_bytes: int = 64 << 20  # of a line, or of a record of a table or a JSON list
    text_bytes: int = 1 << 20  # a running text is given in pieces of about this size
    faults: int = 20  # after so many faulty records the rest is not read


USUAL_LIMITS = Limits()


class Row(NamedTuple):
    """Values and the line on which they start."""

    values: Mapping[str, Any]
    line: int


@dataclass(frozen=True)
class Source:
    """A file to be read, and the name by which it is told."""

    path: Path
    name: str


@dataclass(frozen=True)
class Reading:
    """How files are read, and whom the reader tells what it meets."""

    note: Callable[[str], None]  # something a person should know, with the file's name
    fault: Callable[[DataError], None]  # a record that is left out
    limits: Limits = USUAL_LIMITS
    header: bool | None = None  # of tables; None: found by looking
    columns: Sequence[str] = ()  # names of a table's columns
    delimiter: str = ""  # of tables; empty: found by looking


def ignore(_: str) -> None:
    """Where nobody wants notes."""
