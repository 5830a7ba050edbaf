"""Flat files of one type of number: appended to and digested, read in slices."""

import hashlib
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from loquent.errors import DataError

# The files of a store. Those with `.ends` say where each example's part ends.
TYPES: dict[str, DTypeLike] = {
    "ids": np.int32,
    "ids.ends": np.int64,
    "learned": np.bool_,
    "segments": np.int32,
    "source": np.int32,
    "source.ends": np.int64,
    "sound": np.int16,
    "sound.ends": np.int64,
    "labels": np.int32,
    "labels.ends": np.int64,
    "numbers": np.int64,  # of the records
    "lengths": np.int32,
    "sources": np.int32,  # lengths of the sources
}

_BUFFER_BYTES = 1 << 20


class FlatWriter:
    """Append arrays to a file and keep count and digest."""

    def __init__(self, path: Path, type: DTypeLike) -> None:
        self.count = 0
        self._type = np.dtype(type)
        self._digest = hashlib.sha256()
        self._file = path.open("xb", buffering=_BUFFER_BYTES)

    def add(self, values: Any) -> None:
        """Append an array, or one number."""
        data = np.asarray(values, self._type).tobytes()
        self.count += len(data) // self._type.itemsize
        self._digest.update(data)
        self._file.write(data)

    def close(self, *, lasting: bool = True) -> str:
        """End the file, on the disk itself where it is to be lasting, and give its SHA-256."""
        try:
            self._file.flush()
            if lasting:
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
        return self._digest.hexdigest()


class FlatReader:
    """Slices of a file, which is not mapped: what is read does not stay in memory."""

    def __init__(self, path: Path, type: DTypeLike) -> None:
        self._path = path
        self._type = np.dtype(type)
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The numbers from one place to before another; raises DataError where there are fewer."""
        size = self._type.itemsize
        wanted = (stop - start) * size
        data = os.pread(self._file, wanted, start * size)
        if len(data) != wanted:
            what = f"ends before byte {stop * size}."
            raise DataError(what, where=str(self._path), fix="Has another process changed it?")
        return np.frombuffer(data, self._type)
