"""Look a data set over before anything is learned of it."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loquent.data.distinct import Found, Places, Seen
from loquent.data.measure import Lengths
from loquent.data.reading import USUAL_LIMITS, Limits, Record
from loquent.data.records import records
from loquent.data.report import Finding, Report
from loquent.data.shapes import USUAL, Columns, understood
from loquent.data.spelling import suggestions
from loquent.data.split import hash_of
from loquent.errors import DataError

_TOLD = 20  # faults and places that are told in full; the others are counted
_CLASSES = 10_000  # more different labels are not kept apart
_ENCODED = 50_000  # texts after which every second one only is encoded, and so on
_MOJIBAKE = re.compile("\ufffd|[ÃÂ][\x80-\xbf]|â€")  # UTF-8 once read as something else

Encode = Callable[[str], Sequence[int]]


def check(
    path: Path | str,
    *,
    test: Path | str | None = None,
    columns: Columns = USUAL,
    encode: Encode | None = None,
    length: int = 0,
    format: str = "auto",
    limit: Limits = USUAL_LIMITS,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Read a data set, and a test set if there is one, and report on it.

    With `encode` lengths are of tokens. `progress` is called with the records read so far. Memory
    stays flat: what stands twice is found with hashes on the disk. Raises DataError where nothing
    can be read at all.
    """
    report = Report(str(path), None if test is None else str(test), length=length)
    if encode is not None:
        report.unit = "tokens"
    with tempfile.TemporaryDirectory(prefix="loquent-check-") as folder:
        looking = _Looking(report, Path(folder), columns, encode, progress)
        try:
            looking.go_through(path, format, limit, test=False)
            if test is not None:
                looking.go_through(test, format, limit, test=True)
            looking.finish()
        except OSError as fault:
            what = f"no room for the hashes of the records: {fault.strerror}."
            raise DataError(what, where=folder, fix="Set TMPDIR to another disk.") from fault
        finally:
            looking.close()
    return report


class _Looking:
    """What is known while records go by."""

    def __init__(
        self,
        report: Report,
        folder: Path,
        columns: Columns,
        encode: Encode | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._report = report
        self._columns = columns
        self._encode = encode
        self._progress = progress
        self._seen = Seen(folder)
        self._places = Places(folder)
        self._kinds: Counter[str] = Counter()
        self._names: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._test_labels: Counter[str] = Counter()
        self._first: dict[str, str] = {}  # place of each label
        self._empty: list[str] = []
        self._damaged: list[str] = []
        self._counts: Counter[str] = Counter()
        self._lengths = Lengths()
        self._stride = 1

    def go_through(self, path: Path | str, format: str, limit: Limits, *, test: bool) -> None:
        """Look at every record of one set."""
        report = self._report
        read = 0
        every = records(path, format=format, limit=limit, on_note=self._note, on_fault=self._fault)
        for record in every:
            read += 1
            self._look(record, test=test)
            if self._progress is not None and read % 1000 == 0:
                self._progress(read)
        if not read and not report.fault_count:
            raise DataError("holds no records.", where=str(path))
        if test:
            report.test_records = read
        else:
            report.records = read

    def finish(self) -> None:
        """Put together what was found."""
        report, lengths = self._report, self._lengths
        report.kinds, report.columns = dict(self._kinds), dict(self._names)
        report.empty = Finding(self._counts["empty"], tuple(self._empty))
        report.damaged = Finding(self._counts["damaged"], tuple(self._damaged))
        found = self._seen.repeats()
        for name in ("duplicates", "test_duplicates", "conflicts", "overlap"):
            setattr(report, name, self._told(getattr(found, name)))
        if len(self._labels) <= _CLASSES:
            report.labels = dict(self._labels.most_common())
            report.suggestions = suggestions(self._labels + self._test_labels)
            report.test_only_labels = sorted(set(self._test_labels) - set(self._labels))
            told = {each.label for each in report.suggestions} | set(report.test_only_labels)
            report.label_places = {name: self._first[name] for name in sorted(told)}
        report.lengths = dict(lengths.summary())
        report.measured = lengths.count
        if report.length:
            report.truncated = lengths.over(report.length)
            report.truncated_share = report.truncated / max(lengths.count, 1)

    def close(self) -> None:
        """Let go of the files on the disk."""
        self._places.close()

    def _look(self, record: Record, *, test: bool) -> None:
        if not test:
            self._names.update(map(str, record.values))
        try:
            kind, values = understood(record, self._columns)
        except DataError as fault:
            self._fault(fault)
            return
        if not test:
            self._kinds[kind] += 1
        texts = texts_of(values)
        if not all(text.strip() for text in texts):
            self._remember("empty", self._empty, record.where)
        if any(_is_mojibake(text) for text in texts):
            self._remember("damaged", self._damaged, record.where)
        if "label" in values:
            self._count_labels(values["label"], record.where, test=test)
        read = values.get("text", values.get("source", values))
        answer = values.get("label", values.get("target", ""))
        place = self._places.number(record.where, test=test)
        self._seen.add(hash_of(read), hash_of(answer), place)
        if not test:
            self._measure(texts, record.index)

    def _measure(self, texts: Sequence[str], index: int) -> None:
        """Count the longest text's length: every side of a pair is read for itself."""
        if self._encode is None:
            self._lengths.add(max(map(len, texts), default=0))
        elif index % self._stride == 0:
            self._lengths.add(max((len(self._encode(text)) for text in texts), default=0))
            if self._lengths.count % _ENCODED == 0:
                self._stride *= 2

    def _count_labels(self, label: str | list[str], where: str, *, test: bool) -> None:
        into = self._test_labels if test else self._labels
        for name in [label] if isinstance(label, str) else label:
            if len(into) <= _CLASSES:
                into[name] += 1
                self._first.setdefault(name, where)

    def _remember(self, what: str, places: list[str], where: str) -> None:
        self._counts[what] += 1
        if len(places) < _TOLD:
            places.append(where)

    def _note(self, note: str) -> None:
        self._report.notes.append(note)

    def _fault(self, fault: DataError) -> None:
        self._report.fault_count += 1
        if len(self._report.faults) < _TOLD:
            self._report.faults.append(str(fault))

    def _told(self, found: Found) -> Finding:
        names = self._places.told([place for pair in found.pairs for place in pair])
        pairs = tuple(f"{names[place]} (as {names[first]})" for place, first in found.pairs)
        return Finding(found.count, pairs)


def texts_of(values: Any) -> list[str]:
    """The texts of a normal record, those of a conversation as one."""
    if "messages" in values:
        said = [each.get("content") for each in values["messages"]]
        return ["\n".join(text for text in said if isinstance(text, str))]
    names = ("text", "source", "target", "prompt", "completion", "chosen", "rejected")
    found = [values[name] for name in names if isinstance(values.get(name), str)]
    if "completion" in values or "chosen" in values:
        return ["".join(found)]
    return found


def _is_mojibake(text: str) -> bool:
    """Whether a text shows that it was once read in another encoding than it was written in."""
    if text.isascii():
        return False
    return _MOJIBAKE.search(text) is not None
