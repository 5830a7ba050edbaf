"""A file in memory, read by steps that each stay inside it."""

import os
import stat
import struct
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from loquent.checkpoints.files.container import Bytes
from loquent.errors import CheckpointError


def mapped(path: Path) -> Bytes:
    """The bytes of a file, memory-mapped; raises CheckpointError where it cannot be read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
            raise CheckpointError("is not a plain file.", where=str(path))
        if status.st_size == 0:
            raise CheckpointError("is empty.", where=str(path), fix="Fetch it again.")
        return np.asarray(np.memmap(path, np.uint8, mode="r"))
    except OSError as fault:
        why = os.strerror(fault.errno) if fault.errno else str(fault)
        raise CheckpointError(f"cannot be read: {why}.", where=str(path)) from fault


class Cursor:
    """Reads one value after the other; every step is checked against the end of the file."""

    def __init__(self, data: Bytes, path: Path) -> None:
        self._data = data.data  # a memoryview
        self.path = path
        self.position = 0
        self.size = len(data)

    @property
    def left(self) -> int:
        """Bytes from here to the end."""
        return self.size - self.position

    def fail(self, what: str, position: int | None = None) -> NoReturn:
        """Raise CheckpointError with the file and the byte."""
        at = self.position if position is None else position
        raise CheckpointError(what, where=f"{self.path}: byte {at}")

    def take(self, count: int, what: str) -> bytes:
        """The next bytes; `what` names them where the file ends before."""
        if count > self.left:
            self.fail(f"{what} needs {count} bytes, but only {self.left} follow.")
        part = bytes(self._data[self.position : self.position + count])
        self.position += count
        return part

    def number(self, code: str, what: str) -> Any:
        """The next number, by its `struct` code, little-endian."""
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}"), what))[0]

    def text(self, limit: int, what: str) -> str:
        """The next string: its length in 8 bytes, then UTF-8."""
        start = self.position
        length = self.number("Q", f"the length of {what}")
        if length > min(limit, self.left):
            self.fail(f"{what} claims {length} bytes (at most {min(limit, self.left)}).", start)
        try:
            return self.take(length, what).decode("utf-8")
        except UnicodeDecodeError as fault:
            self.fail(f"{what} is not UTF-8 ({fault.reason}).", start + 8 + fault.start)

    def texts(self, count: int, limit: int, what: str) -> list[str]:
        """The next `count` strings, in a tight loop: vocabularies have hundreds of thousands."""
        data, size, at = self._data, self.size, self.position
        length_of = struct.Struct("<Q").unpack_from
        made: list[str] = []
        try:
            for _ in range(count):
                (length,) = length_of(data, at)
                if length > limit or length > size - at - 8:
                    break
                made.append(str(data[at + 8 : at + 8 + length], "utf-8"))
                at += 8 + length
        except (struct.error, UnicodeDecodeError):
            pass  # read once more below, which names the fault and its place
        self.position = at
        while len(made) < count:
            made.append(self.text(limit, f"{what}[{len(made)}]"))
        return made
