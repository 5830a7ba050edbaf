"""Where a sound is read from, and how much of it at most."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from loquent.errors import DataError


@dataclass(frozen=True, kw_only=True)
class SoundLimits:
    """What a file of sound may hold before it is refused."""

    file_bytes: int = 2 << 30
    seconds: float = 3600.0
    channels: int = 8
    values: int = 400_000_000  # of all channels; an hour of stereo at 48 kHz has 346 million
    values_per_byte: int = 4000  # that a byte may become; silence in flac becomes some 1,000


USUAL = SoundLimits()
LONG = SoundLimits(seconds=24 * 3600.0, values=24 * USUAL.values)  # for what is read in blocks


@contextmanager
def binary(
    source: Path | BinaryIO | bytes, limits: SoundLimits
) -> Iterator[tuple[BinaryIO, str, int]]:
    """A file that can seek, its name in errors, and its size."""
    if isinstance(source, bytes):
        with io.BytesIO(source) as file:
            yield file, "sound", _checked_size(len(source), limits, "sound")
    elif isinstance(source, Path):
        where = str(source)
        try:
            status = source.stat()
            if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
                raise DataError("is not a plain file.", where=where)
            opened = source.open("rb")
        except OSError as fault:
            why = os.strerror(fault.errno) if fault.errno else str(fault)
            raise DataError(f"cannot be read: {why}.", where=where) from fault
        with opened as file:
            yield file, where, _checked_size(status.st_size, limits, where)
    else:
        where = str(getattr(source, "name", "sound"))
        data = source.read(limits.file_bytes + 1)  # a pipe cannot seek
        yield io.BytesIO(data), where, _checked_size(len(data), limits, where)


def _checked_size(size: int, limits: SoundLimits, where: str) -> int:
    if size > limits.file_bytes:
        raise DataError(f"is larger than {limits.file_bytes:,} bytes.", where=where)
    return size
