"""Plain text: one running text, one text a line, or lines of two files side by side."""

from collections.abc import Iterator
from itertools import zip_longest

from loquent.data.reading import Reading, Row, Source
from loquent.data.source import Line, lines
from loquent.errors import DataError


def read_text(source: Source, reading: Reading) -> Iterator[Row]:
    """A file as one running text.

    A long one comes in pieces that end at the end of a line; a piece that goes on from the one
    before has `continued`, and one that goes on in the next has `continues`. A line that is
    damaged is told and left out.
    """
    held: list[str] = []
    size, start, continued = 0, 1, False
    for line in lines(source, reading):
        if line.fault is not None:
            reading.fault(line.fault)
            continue
        if size >= reading.limits.text_bytes:
            yield _piece(held, start, continued=continued, continues=True)
            held, size, start, continued = [], 0, line.number, True
        held.append(line.text)
        size += len(line.text) + 1
    if any(held) or continued:
        yield _piece(held, start, continued=continued, continues=False)


def read_lines(source: Source, reading: Reading) -> Iterator[Row]:
    """One text a line; empty lines are left out and told."""
    empty = 0
    for line in lines(source, reading):
        if line.fault is not None:
            reading.fault(line.fault)
        elif line.text.strip():
            yield Row({"text": line.text}, line.number)
        else:
            empty += 1
    if empty:
        reading.note(f"{source.name}: {empty} empty lines were left out.")


def read_parallel(
    source: Source, target: Source, names: tuple[str, str], reading: Reading
) -> Iterator[Row]:
    """Lines of two files that belong together, such as a text and its translation.

    Raises DataError where one file has more lines than the other.
    """
    empty = 0
    pairs = zip_longest(lines(source, reading), lines(target, reading))
    for number, (one, other) in enumerate(pairs, 1):
        if one is None or other is None:
            shorter, longer = (source, target) if one is None else (target, source)
            what = f"has {number - 1} lines, and {longer.name} has more: they are no pairs."
            raise DataError(what, where=shorter.name)
        if (fault := one.fault or other.fault) is not None:
            reading.fault(fault)
        elif _both(one, other):
            yield Row({names[0]: one.text, names[1]: other.text}, number)
        else:
            empty += 1
    if empty:
        reading.note(f"{source.name}: {empty} pairs with an empty line were left out.")


def _both(one: Line, other: Line) -> bool:
    return bool(one.text.strip() and other.text.strip())


def _piece(held: list[str], start: int, *, continued: bool, continues: bool) -> Row:
    text = "\n".join(held) + ("\n" if continues else "")
    flags = {"continued": continued, "continues": continues}
    return Row({"text": text, **{name: True for name, on in flags.items() if on}}, start)
