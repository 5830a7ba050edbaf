"""Names of a table's columns: from its first line, from the caller, or found by looking."""

from collections.abc import Sequence
from dataclasses import dataclass

from loquent.data.names import KNOWN
from loquent.data.reading import Reading
from loquent.errors import DataError

_LONG_NAME = 40  # characters; a longer cell is no name of a column
_LONG_LABEL = 40
_FEW_ROWS = 4  # below this nothing is guessed


@dataclass(frozen=True)
class Header:
    """The names of the columns, and how many rows at the start hold them."""

    names: list[str]
    rows: int


def columns_of(rows: Sequence[Sequence[str]], name: str, reading: Reading) -> Header:
    """The columns of a table whose first rows are given.

    Raises DataError where a name stands twice, or where there are names for other columns than
    the table has.
    """
    if not rows:
        return Header(list(reading.columns), 0)
    first = [cell.strip() for cell in rows[0]]
    header = _looks_like_names(first) if reading.header is None else reading.header
    if reading.columns:
        names = list(reading.columns)
        if len(names) != len(first):
            what = f"has {len(first)} columns, and {len(names)} names were given for them."
            raise DataError(what, where=f"{name}:1")
        return Header(names, int(header))
    if header:
        if reading.header is None and not any(cell.lower() in KNOWN for cell in first):
            reading.note(f"{name}: the first line was taken as the names of the columns.")
        names = [cell or f"column {place}" for place, cell in enumerate(first, 1)]
        twice = next((each for each in names if names.count(each) > 1), None)
        if twice is not None:
            raise DataError(f"two columns are called {twice!r}.", where=f"{name}:1")
        return Header(names, 1)
    names = _guessed(rows) if len(first) == 2 else _numbered(len(first))
    reading.note(f"{name}: no header; its columns were named {', '.join(names)}.")
    return Header(names, 0)


def _looks_like_names(cells: Sequence[str]) -> bool:
    """Whether a first row is a header: it has a usual name, or nothing but short, unlike words."""
    lowered = [cell.lower() for cell in cells]
    if any(len(cell) > _LONG_NAME for cell in cells):
        return False
    if any(cell in KNOWN for cell in lowered):
        return True
    unlike = len(set(lowered)) == len(cells)
    return unlike and all(cell.isidentifier() and cell.isascii() for cell in cells)


def _numbered(count: int) -> list[str]:
    return [f"column {place}" for place in range(1, count + 1)]


def _guessed(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names for two columns: a column of few and short values is a label, else it is a pair."""
    whole = [row for row in rows if len(row) == 2]
    if len(whole) < _FEW_ROWS:
        return _numbered(2)
    few = [_is_label([row[place] for row in whole]) for place in (0, 1)]
    if few == [False, True]:
        return ["text", "label"]
    if few == [True, False]:
        return ["label", "text"]
    return ["source", "target"] if few == [False, False] else _numbered(2)


def _is_label(cells: Sequence[str]) -> bool:
    short = all(len(cell) <= _LONG_LABEL for cell in cells)
    return short and len({cell.strip() for cell in cells}) <= max(len(cells) // 4, 2)
