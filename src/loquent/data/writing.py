"""Write examples to the flat files of a store."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from loquent.data.example import Example
from loquent.data.flat import TYPES, FlatWriter
from loquent.errors import DataError

CARD = "store.json"  # written last: a folder without it is not finished
VERSION = 1

_BLOCK = 1 << 20


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in `store.json`."""

    version: int
    examples: int
    tokens: int
    sizes: dict[str, int]  # numbers in each file
    fingerprint: str
    tagged: bool
    unlearned: int
    inputs: str = ""


def write(examples: Iterable[Example], folder: Path, inputs: str) -> None:
    """Write all examples and, at the end, the card; raises DataError."""
    writer = _Writer(folder)
    try:
        for example in examples:
            writer.add(example)
        if not writer.examples:
            raise DataError("there are no examples.", where=str(folder.parent))
        card = writer.finish(inputs)
    finally:
        writer.close()
    with (folder / CARD).open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(card)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


class _Writer:
    def __init__(self, folder: Path) -> None:
        self.examples = 0
        self._folder = folder
        self._tokens = 0
        self._tagged = True
        self._unlearned = 0
        self._files: dict[str, FlatWriter] = {}

    def add(self, example: Example) -> None:
        """Append one example."""
        ids = _checked(example.ids, example, "ids")
        self._learned(example, ids)
        self._append("ids", ids)
        self._segments(example, ids)
        length = len(ids)
        for name, part in (("source", example.source), ("labels", example.labels)):
            self._check_alike(name, part is not None, example)
            if part is not None:
                self._append(name, _checked(part, example, name))
        self._check_alike("sound", example.sound is not None, example)
        if example.sound is not None:
            self._append("sound", example.sound)
        read = example.frames if example.source is None else len(example.source)
        length += read
        if example.source is not None or (example.sound is not None and len(ids)):
            self._file("sources").add(read)
        self._tagged = self._tagged and len(ids) == len(_or_empty(example.labels))
        self._file("numbers").add(example.index)
        self._file("lengths").add(length)
        self._tokens += length
        self.examples += 1

    def finish(self, inputs: str) -> Card:
        """Bring all to the disk and say what it is."""
        sizes = {name: file.count for name, file in sorted(self._files.items())}
        digests = {name: file.close() for name, file in sorted(self._files.items())}
        self._files.clear()
        whole = hashlib.sha256(msgspec.json.encode([VERSION, digests]))
        return Card(
            version=VERSION,
            examples=self.examples,
            tokens=self._tokens,
            sizes=sizes,
            fingerprint=whole.hexdigest(),
            tagged=self._tagged,
            unlearned=self._unlearned,
            inputs=inputs,
        )

    def close(self) -> None:
        """Leave an unfinished folder, without errors that would hide the first one."""
        for file in self._files.values():
            with suppress(OSError):  # the disk is full: what is there goes with its folder
                file.close(lasting=False)

    def _learned(self, example: Example, ids: NDArray[np.int32]) -> None:
        learned = example.learned
        if learned is None and "learned" not in self._files:
            return
        if learned is not None and len(learned) != len(ids):
            what = f"{len(learned)} marks of what is learned for {len(ids)} ids."
            raise DataError(what, where=f"record {example.index}")
        if "learned" not in self._files:  # all tokens before were learned
            before = self._files["ids"].count if "ids" in self._files else 0
            file = self._file("learned")
            for start in range(0, before, _BLOCK):
                file.add(np.ones(min(_BLOCK, before - start), np.bool_))
        self._file("learned").add(np.ones(len(ids), np.bool_) if learned is None else learned)
        if learned is not None and not np.any(learned[1:]):
            self._unlearned += 1

    def _segments(self, example: Example, ids: NDArray[np.int32]) -> None:
        self._check_alike("segments", example.segments is not None, example)
        if example.segments is not None:
            segments = _checked(example.segments, example, "segments")
            if len(segments) != len(ids):
                what = f"{len(segments)} segments for {len(ids)} ids."
                raise DataError(what, where=f"record {example.index}")
            self._file("segments").add(segments)

    def _append(self, name: str, values: NDArray[np.signedinteger]) -> None:
        file = self._file(name)
        file.add(values)
        self._file(f"{name}.ends").add(file.count)

    def _check_alike(self, name: str, present: bool, example: Example) -> None:
        if self.examples and present != (name in self._files):
            what = f"has {'a' if present else 'no'} {name}, unlike the examples before it."
            raise DataError(what, where=f"record {example.index}")

    def _file(self, name: str) -> FlatWriter:
        if name not in self._files:
            self._files[name] = FlatWriter(self._folder / name, TYPES[name])
        return self._files[name]


def _checked(values: NDArray[np.int32], example: Example, name: str) -> NDArray[np.int32]:
    made = np.asarray(values, np.int32)
    if made.ndim != 1 or (name != "labels" and made.size and int(made.min()) < 0):
        what = f"its {name} are not a row of numbers from 0 on."
        raise DataError(what, where=f"record {example.index}")
    return made


def _or_empty(values: NDArray[np.int32] | None) -> NDArray[np.int32]:
    return np.zeros(0, np.int32) if values is None else values
