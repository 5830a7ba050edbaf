"""Examples on disk: flat arrays, written once as they come and read one example at a time."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from loquent.data.example import Example
from loquent.data.flat import TYPES, FlatReader
from loquent.data.writing import CARD, Card, write
from loquent.errors import DataError


class Store:
    """Examples in a folder; only the one that is asked for is in memory."""

    def __init__(self, folder: Path, card: Card) -> None:
        """Use `open` or `build`."""
        self.folder = folder
        self.tokens = card.tokens  # of all examples, sources included
        self.fingerprint = card.fingerprint  # SHA-256 of all that is in it
        self.inputs = card.inputs  # what `build` was told of where it comes from
        self.tagged = card.tagged  # every example has one label for each of its ids
        self.unlearned = card.unlearned  # examples of which no token is a target
        self._card = card
        self._flat = {name: FlatReader(folder / name, TYPES[name]) for name in card.sizes}
        self.lengths: NDArray[np.int32] = self._mapped("lengths")  # tokens, sources included
        self.sources: NDArray[np.int32] | None = (  # tokens of the source alone
            self._mapped("sources") if "sources" in card.sizes else None
        )

    @classmethod
    def build(cls, examples: Iterable[Example], folder: Path, *, inputs: str = "") -> "Store":
        """Write examples to a folder, which is there as a whole or not at all, and open it.

        `inputs` may name what the examples are made of (data, tokenizer, settings): a folder that
        was built of the same is opened, and `examples` is not asked for any. Raises DataError
        where there are no examples, where they do not fit together, or where the disk is full.
        """
        if inputs and (found := _same(folder, inputs)) is not None:
            return found
        _refuse_foreign(folder)
        _sweep(folder)
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        try:
            partial.mkdir(parents=True)
            write(examples, partial, inputs)
            _place(partial, folder)
        except OSError as fault:
            what = f"{fault.strerror or fault}; no examples were written."
            raise DataError(what, where=str(fault.filename or folder)) from fault
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open what `build` has written; raises DataError where it is missing or damaged."""
        path = folder / CARD
        try:
            card = msgspec.json.decode(path.read_bytes(), type=Card)
        except OSError as fault:
            raise DataError(f"holds no examples: {fault.strerror}.", where=str(path)) from fault
        except msgspec.MsgspecError as fault:
            raise DataError(f"is damaged: {fault}.", where=str(path)) from fault
        for name, size in card.sizes.items():
            if name not in TYPES:
                raise DataError(f"names an unknown file {name!r}.", where=str(path))
            file = folder / name
            found = file.stat().st_size if file.is_file() else -1
            if found != size * np.dtype(TYPES[name]).itemsize:
                what = (
                    "is not there." if found < 0 else f"has {found} bytes, which is not its size."
                )
                raise DataError(what, where=str(file), fix="Remove the folder to have it rebuilt.")
        return cls(folder, card)

    def __len__(self) -> int:
        """How many examples there are."""
        return self._card.examples

    def __getitem__(self, place: int) -> Example:
        """One example, read from the disk."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        start, stop = self._span("ids", place)
        learned, segments = self._flat.get("learned"), self._flat.get("segments")
        sound = self._part("sound", place)
        return Example(
            ids=self._flat["ids"].read(start, stop),
            learned=None if learned is None else learned.read(start, stop),
            segments=None if segments is None else segments.read(start, stop),
            source=self._part("source", place),
            labels=self._part("labels", place),
            sound=sound,
            frames=0 if sound is None else int(self._heard[place]),
            index=int(self._flat["numbers"].read(place, place + 1)[0]),
        )

    @property
    def _heard(self) -> NDArray[np.int32]:
        """Frames of the sound of each example."""
        return self.lengths if self.sources is None else self.sources

    @property
    def text_tokens(self) -> int:
        """The ids of all examples one behind the other, without sources."""
        return self._card.sizes["ids"]

    @property
    def parts(self) -> frozenset[str]:
        """Which of `learned`, `segments`, `source`, `sound` and `labels` the examples have."""
        return frozenset(self._card.sizes) & {"learned", "segments", "source", "sound", "labels"}

    def text(self, start: int, stop: int) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None]:
        """Ids, and which of them are learned, of all examples read as one running text."""
        learned = self._flat.get("learned")
        return (
            self._flat["ids"].read(start, stop),
            None if learned is None else learned.read(start, stop),
        )

    def _part(self, name: str, place: int) -> NDArray[Any] | None:
        if name not in self._flat:
            return None
        return self._flat[name].read(*self._span(name, place))

    def _span(self, name: str, place: int) -> tuple[int, int]:
        ends = self._flat[f"{name}.ends"]
        if place == 0:
            return 0, int(ends.read(0, 1)[0])
        start, stop = ends.read(place - 1, place + 1)
        return int(start), int(stop)

    def _mapped(self, name: str) -> NDArray[np.int32]:
        return np.memmap(self.folder / name, TYPES[name], mode="r")


def _same(folder: Path, inputs: str) -> Store | None:
    """The store of a folder if it is whole and was built of the same inputs."""
    try:
        found = Store.open(folder)
    except DataError:
        return None  # not there, or damaged: it is built anew
    return found if found.inputs == inputs else None


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and not (folder / CARD).exists() and any(folder.iterdir()):
        raise DataError("holds other files.", where=str(folder), fix="Name another folder.")
    if folder.exists() and not folder.is_dir():
        raise DataError("is a file.", where=str(folder), fix="Name a folder.")


def _sweep(folder: Path) -> None:
    """Remove what processes that are gone have left unfinished."""
    for left in folder.parent.glob(f".{folder.name}.*.partial"):
        number = left.name.split(".")[-2]
        if number.isdecimal() and not _alive(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return process != os.getpid()  # our own number: left by a process of the same number


def _place(partial: Path, folder: Path) -> None:
    """Put a finished folder under its name, in the place of an older one."""
    old = partial.with_suffix(".old")
    if folder.exists():
        folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
    parent = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
