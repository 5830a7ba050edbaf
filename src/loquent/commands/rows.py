"""Rows of a file that a command is asked about, and their answers beside them in a file."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loquent.errors import DataError, UserError, nearest, together

if TYPE_CHECKING:
    from loquent.data.reading import Record

ENDINGS = (".jsonl", ".csv", ".tsv", ".txt", ".npy")
MOST_FAULTS = 20
_LINES = (".txt", ".text")  # inputs of which each line is a row

Answer = Mapping[str, Any]
Pairs = Iterable[tuple["Record", Answer]]


def has_lines(source: Path) -> bool:
    """Whether each line of a file is a row, empty ones too."""
    return source.suffix.lower() in _LINES


def rows(source: Path, note: Callable[[str], None]) -> Iterator[Record]:
    """The rows of a file; of one of lines also the empty ones, so that line stays beside line.

    Raises DataError with all rows that cannot be read, up to 20.
    """
    from loquent.data.reading import Reading, Record, Source
    from loquent.data.records import records
    from loquent.data.source import lines

    if not has_lines(source):
        yield from records(source, on_note=note)
        return
    faults: list[UserError] = []
    named = Source(source, source.name)
    for line in lines(named, Reading(note, faults.append)):
        if line.fault is not None:
            faults.append(line.fault)
        yield Record({"text": line.text}, f"{source.name}:{line.number}", line.number - 1)
    if faults:
        raise together(DataError, faults[:MOST_FAULTS])


def text_of(record: Record, named: str, usual: Sequence[str], what: str) -> str:
    """The text of a row in the column `named`, or in the first of the usual names that it has.

    Raises DataError with the row's place and its columns.
    """
    lowered = {str(name).lower(): name for name in record.values}
    found = named or next((lowered[each] for each in usual if each in lowered), "")
    if not found or found not in record.values:
        names = [str(name) for name in record.values]
        fix = nearest(named, names) if named else f"It has {', '.join(names)}; name one (--column)."
        raise DataError(f"has no column {named or what!r}.", where=record.where, fix=fix)
    value = record.values[found]
    if not isinstance(value, str):
        raise DataError(f"{found!r} is {value!r:.40}, not text.", where=record.where)
    return value


def first_text(source: Path, read: Callable[[Record], str]) -> str:
    """The first text of a file that is not empty, by which its language is told; "" for none.

    What is wrong with rows is told when all of them are looked at.
    """
    try:
        for record in rows(source, lambda _: None):
            if text := read(record).strip():
                return text
    except DataError:
        return ""
    return ""


def write(target: Path, path: Path, pairs: Pairs, *, main: str, names: Mapping[str, str]) -> None:
    """Write rows and answers to `path` in the format of `target`'s ending.

    `names` are the fields of all answers, by what their columns are called; lines and .npy hold
    the field `main` alone.
    """
    ending = target.suffix.lower()
    if ending == ".npy":
        _write_matrix(path, pairs, main)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if ending == ".txt":
            for _, answer in pairs:
                file.write(" ".join(_cell(answer.get(main, "")).splitlines()) + "\n")
        elif ending == ".jsonl":
            for record, answer in pairs:
                values = {**record.values, **{names[each]: answer[each] for each in answer}}
                file.write(json.dumps(values, ensure_ascii=False, default=str) + "\n")
        else:
            _write_table(csv.writer(file, delimiter="\t" if ending == ".tsv" else ",",
                                    lineterminator="\n"), pairs, names)  # fmt: skip
        file.flush()
        os.fsync(file.fileno())


def _write_table(table: Any, pairs: Pairs, names: Mapping[str, str]) -> None:
    own: list[str] = []
    for number, (record, answer) in enumerate(pairs):
        if not number:
            own = list(map(str, record.values))
            table.writerow([*own, *names.values()])
        cells = [record.values.get(name, "") for name in own]
        table.writerow(map(_cell, [*cells, *(answer.get(name, "") for name in names)]))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _write_matrix(path: Path, pairs: Pairs, main: str) -> None:
    """The vectors (N, D) of all rows as .npy; those without one are NaN."""
    import numpy as np

    vectors = [np.array(answer.get(main) or [], np.float32) for _, answer in pairs]
    width = max(map(len, vectors))
    made = np.full((len(vectors), width), np.nan, np.float32)
    for row, vector in enumerate(vectors):
        made[row, : len(vector)] = vector
    with path.open("wb") as file:
        np.save(file, made, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
