"""Files on their way: bounded, counted, hashed, and given their name only when whole."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from loquent.errors import CheckpointError

Progress = Callable[[int, int | None], None]  # bytes done, bytes in all where known
CHUNK_BYTES = 1 << 20
POINTER = b"version https://git-lfs.github.com/spec/"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_FULL = tuple(os.strerror(number) for number in FULL)
MORE_ROOM = "Make room, or set LOQUENT_HOME to a folder on another disk."


class Partial:
    """A file that is being written as `NAME.partial`; more than `limit` bytes are refused.

    What an earlier try has left is continued. `progress` is told the bytes there after each write.
    """

    def __init__(self, path: Path, *, limit: int, progress: Callable[[int], None]) -> None:
        self.path = path
        self.unfinished = path.with_name(f"{path.name}.partial")
        self._limit = limit
        self._progress = progress
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self.unfinished.open("ab")

    def __enter__(self) -> "Partial":
        """Use as a context: the file is closed, and stays unfinished unless `finish` was called."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def write(self, data: bytes) -> int:
        """Append; raises CheckpointError above the limit and where the disk is full."""
        if self._file.tell() + len(data) > self._limit:
            raise CheckpointError(
                f"is longer than the {self._limit} bytes that it should have; nothing was kept.",
                where=self.path.name,
            )
        try:
            count = self._file.write(data)
        except OSError as fault:
            raise disk_error(fault, self.path) from fault
        self._progress(self._file.tell())
        return count

    def tell(self) -> int:
        """How many bytes are there."""
        return self._file.tell()

    def truncate(self, size: int) -> None:
        """Cut to this many bytes, to begin again from there."""
        self._file.truncate(size)
        self._file.seek(size)

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        try:
            self._file.flush()
        except OSError as fault:
            raise disk_error(fault, self.path) from fault

    def close(self) -> None:
        """Close; what is there stays under the unfinished name, for a later try to continue."""
        try:
            self._file.close()
        except OSError as fault:
            raise disk_error(fault, self.path) from fault

    def finish(self) -> None:
        """Bring everything to the disk and give the file its name."""
        self.flush()
        os.fsync(self._file.fileno())
        self.close()
        self.unfinished.replace(self.path)

    def discard(self) -> None:
        """Delete what was written."""
        self.close()
        self.unfinished.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    from hashlib import file_digest  # noqa: PLC0415  # brings OpenSSL; seldom needed

    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def git_blob_of(path: Path) -> str:
    """The name that git gives a file's contents: SHA-1 of a header with its length, and itself."""
    from hashlib import sha1  # noqa: PLC0415

    digest = sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def refuse_pointer(path: Path, where: str) -> None:
    """Raise CheckpointError where a file is only a Git LFS pointer to the real one."""
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if start == POINTER:
        raise CheckpointError(
            "is a Git LFS pointer, not the file itself.",
            where=where,
            fix="Fetch the file with `git lfs pull`, or from the hub by its name (hf:ORG/NAME).",
        )


def need_room(folder: Path, count: int) -> None:
    """Raise CheckpointError where the disk has less than `count` bytes free."""
    from shutil import disk_usage  # noqa: PLC0415  # takes a while to import; seldom needed

    free = disk_usage(folder).free
    if free < count:
        raise CheckpointError(
            f"the disk is too full: {count} bytes are needed, {free} are free.",
            where=str(folder),
            fix=MORE_ROOM,
        )


def disk_error(fault: OSError, path: Path) -> CheckpointError:
    """The error for a file that cannot be written."""
    full = fault.errno in FULL
    reason = "the disk is full" if full else f"cannot be written: {fault.strerror}"
    return CheckpointError(
        f"{reason}.",
        where=str(path),
        fix=MORE_ROOM,
    )
