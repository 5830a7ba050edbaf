"""What comes twice among many records, found in flat memory with the help of the disk."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_PARTS = 64  # files, by the first bits of a key; each is sorted in memory for itself
_BUFFERED = 1 << 16  # records kept until they are written
_FIELDS = 3
_TEST = 1 << 63  # in a place: the record is one of the test set
_FILE_BIT = 40  # in a place: the line below, the file's number above
_KEPT = 5  # places of each finding that are told

Words = NDArray[np.uint64]


class Places:
    """The places of records as numbers, with the files' names on the disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "names"
        self._file = self._path.open("w", encoding="utf-8")
        self._current: str | None = None
        self._count = 0

    def number(self, where: str, *, test: bool) -> int:
        """The number of `file:line`."""
        name, _, line = where.rpartition(":")
        if name != self._current:
            self._current = name
            self._count += 1
            self._file.write(name.replace("\n", " ") + "\n")
        return (self._count - 1) << _FILE_BIT | int(line) | (_TEST if test else 0)

    def told(self, places: list[int]) -> dict[int, str]:
        """What numbers stand for."""
        self._file.flush()
        wanted = {(place & ~_TEST) >> _FILE_BIT for place in places}
        names = {}
        with self._path.open(encoding="utf-8") as file:
            for number, name in enumerate(file):
                if number in wanted:
                    names[number] = name[:-1]
        lines = (1 << _FILE_BIT) - 1
        return {
            place: f"{names[(place & ~_TEST) >> _FILE_BIT]}:{place & lines}" for place in places
        }

    def close(self) -> None:
        """End the file of names."""
        self._file.close()


@dataclass
class Found:
    """How many records something is true of, and pairs of places: the record's and the first's."""

    count: int = 0
    pairs: list[tuple[int, int]] = field(default_factory=list)

    def add(self, count: int, places: Words, firsts: Words) -> None:
        """Take the findings of one part."""
        self.count += count
        first = np.argsort(places)[:_KEPT]
        self.pairs += zip(places[first].tolist(), firsts[first].tolist(), strict=True)
        self.pairs = sorted(self.pairs)[:_KEPT]


@dataclass
class Repeats:
    """What comes twice."""

    duplicates: Found = field(default_factory=Found)  # in the training set, beyond the first
    test_duplicates: Found = field(default_factory=Found)
    overlap: Found = field(default_factory=Found)  # records of the test set that are in training
    conflicts: Found = field(default_factory=Found)  # same text, another label than the first's


class Seen:
    """Keys of records: a hash of what is read, one of what is answered, and the place."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"keys-{part:02}" for part in range(_PARTS)]
        self._buffer = array("Q")

    def add(self, key: int, answer: int, place: int) -> None:
        """Keep the keys of one record."""
        self._buffer.extend((key, answer, place))
        if len(self._buffer) >= _BUFFERED * _FIELDS:
            self._flush()

    def repeats(self) -> Repeats:
        """Go through all keys, part by part."""
        self._flush()
        found = Repeats()
        for rows in self._parts():
            _compare(rows, found)
        return found

    def _flush(self) -> None:
        rows = np.frombuffer(self._buffer, np.uint64).reshape(-1, _FIELDS)
        parts = (rows[:, 0] >> np.uint64(58)).astype(np.int64)
        order = np.argsort(parts, kind="stable")
        bounds = np.searchsorted(parts[order], np.arange(_PARTS + 1))
        for part in np.unique(parts).tolist():
            chosen = rows[order[bounds[part] : bounds[part + 1]]]
            with self._paths[part].open("ab") as file:
                file.write(chosen.tobytes())
        self._buffer = array("Q")

    def _parts(self) -> Iterator[Words]:
        for path in self._paths:
            if path.exists():
                rows = np.fromfile(path, np.uint64).reshape(-1, _FIELDS)
                yield rows[np.lexsort((rows[:, 2], rows[:, 0]))]


def _compare(rows: Words, found: Repeats) -> None:
    """Find runs of one key; a run starts with its first record of the training set, if any."""
    keys, answers, places = rows.T
    fresh = np.concatenate([[True], keys[1:] != keys[:-1]])
    starts = np.flatnonzero(fresh)
    run = np.cumsum(fresh) - 1
    firsts, first_answers = places[starts][run], answers[starts][run]
    test = places >= np.uint64(_TEST)
    from_training = firsts < np.uint64(_TEST)
    previous_test = np.concatenate([[False], test[:-1]])
    for name, chosen in (
        ("duplicates", ~fresh & ~test),
        ("test_duplicates", ~fresh & test & previous_test),
        ("overlap", test & from_training),
        ("conflicts", ~fresh & (answers != first_answers)),
    ):
        into: Found = getattr(found, name)
        into.add(int(np.count_nonzero(chosen)), places[chosen], firsts[chosen])
