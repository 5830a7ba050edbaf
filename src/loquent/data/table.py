"""Tables: CSV with quotes as in RFC 4180, and TSV, which has none."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from loquent.data.columns import columns_of
from loquent.data.reading import Reading, Row, Source
from loquent.data.source import Line, lines
from loquent.errors import DataError

_DELIMITERS = ",;\t|"
_LOOKED_AT = 200  # lines by which the delimiter and the columns are found


def read_csv(source: Source, reading: Reading) -> Iterator[Row]:
    """Rows of a CSV file; a quoted cell may hold delimiters and ends of lines."""
    if csv.field_size_limit() < reading.limits.line_bytes:  # only ever raised
        csv.field_size_limit(reading.limits.line_bytes)
    every = lines(source, reading)
    start = list(islice(every, _LOOKED_AT))
    delimiter = reading.delimiter or _delimiter(start)
    if delimiter != "," and not reading.delimiter:
        reading.note(f"{source.name}: columns are divided by {delimiter!r}.")
    quoted = _Quoted(chain(start, every), source.name, delimiter, reading)
    return _rows(quoted.records(), source, reading)


def read_tsv(source: Source, reading: Reading) -> Iterator[Row]:
    """Rows of a TSV file: cells are divided by tabs, and a quote is a character like any other."""
    delimiter = reading.delimiter or "\t"
    return _rows(_plain(lines(source, reading), delimiter), source, reading)


class Cells(NamedTuple):
    """The cells of a record, or its fault, with the line and the byte at which it starts."""

    texts: list[str]
    line: int
    byte: int
    fault: DataError | None = None


def _plain(every: Iterator[Line], delimiter: str) -> Iterator[Cells]:
    for line in every:
        yield Cells(line.text.split(delimiter), line.number, line.byte, line.fault)


class _Quoted:
    """Records of a CSV file, which may go over several lines.

    The library's reader asks for lines; here each is counted, so that a quote that is never
    closed does not swallow the file.
    """

    def __init__(self, every: Iterator[Line], name: str, delimiter: str, reading: Reading) -> None:
        self._every = every
        self._name = name
        self._reading = reading
        self._begun: Line | None = None  # the first line of the record being read
        self._taken = 0  # characters of it
        self._fault: DataError | None = None
        self._reader = csv.reader(self._lines(), delimiter=delimiter, strict=True)

    def records(self) -> Iterator[Cells]:
        """The cells of each record."""
        while True:
            self._begun, self._taken, self._fault = None, 0, None
            try:
                texts = next(self._reader)
            except StopIteration:
                return
            except csv.Error as fault:
                texts = []
                self._fault = self._fault or self._broken(fault)
            if self._begun is not None:
                yield Cells(texts, self._begun.number, self._begun.byte, self._fault)

    def _lines(self) -> Iterator[str]:
        for line in self._every:
            self._begun = self._begun or line
            self._fault = self._fault or line.fault
            self._taken += len(line.text) + 1
            if self._taken > self._reading.limits.line_bytes and line is not self._begun:
                raise DataError(
                    f"a quote that is opened at byte {self._begun.byte} is not closed within "
                    f"{self._reading.limits.line_bytes} characters.",
                    where=f"{self._name}:{self._begun.number}",
                )
            yield line.text + "\n"

    def _broken(self, fault: csv.Error) -> DataError:
        line = self._begun
        assert line is not None
        what = f"{_csv_reason(fault)} in the record at byte {line.byte}."
        fix = 'A quote inside a quoted cell is written twice: "".'
        return DataError(what, where=f"{self._name}:{line.number}", fix=fix)


def _csv_reason(fault: csv.Error) -> str:
    text = str(fault)
    if "unexpected end of data" in text:
        return "a quote is opened and not closed"
    if "expected after" in text:
        return "something follows a closing quote"
    return text


def _rows(every: Iterator[Cells], source: Source, reading: Reading) -> Iterator[Row]:
    """Name the cells; rows with too few or too many are told and left out."""
    start = list(islice(every, _LOOKED_AT))
    if start and start[0].fault is not None:
        raise start[0].fault  # without the first line the columns are not known
    looked_at = [each.texts for each in start if each.fault is None and not _is_empty(each.texts)]
    found = columns_of(looked_at, source.name, reading)
    width = len(found.names)
    empty = rows = 0
    for texts, line, byte, fault in chain(start, every):
        if fault is None and _is_empty(texts):
            empty += 1
            continue
        rows += 1
        if fault is not None:
            reading.fault(fault)
        elif rows > found.rows and len(texts) != width:
            what = f"has {len(texts)} columns, not {width} (byte {byte})."
            fix = f"The columns are {', '.join(found.names)}."
            reading.fault(DataError(what, where=f"{source.name}:{line}", fix=fix))
        elif rows > found.rows:
            yield Row(dict(zip(found.names, texts, strict=True)), line)
    if rows and rows == found.rows:
        reading.fault(DataError("has a header and no rows.", where=source.name))
    if empty:
        reading.note(f"{source.name}: {empty} empty lines were left out.")


def _is_empty(texts: Sequence[str]) -> bool:
    return len(texts) < 2 and not any(text.strip() for text in texts)


def _delimiter(start: Sequence[Line]) -> str:
    """The delimiter that cuts the first lines most evenly; a comma where none does."""
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        texts = (line.text + "\n" for line in start)
        try:
            widths = [len(cells) for cells in csv.reader(texts, delimiter=delimiter) if cells]
        except csv.Error:
            continue
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        score = times / len(widths) if width > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best
