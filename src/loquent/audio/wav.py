"""Files and streams of wav, 16 bits and one channel, without any package.

A stream's length need not be known when it begins: for pipes and players.
"""

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from loquent.audio.sound import Samples
from loquent.errors import DataError

_ENDLESS = 0xFFFF_FFFF  # in place of sizes that are not known; readers go on to the end
_BYTES = 2  # of a sample
HEADER_BYTES = 44


def header(rate: int, bytes: int | None = None) -> bytes:
    """The beginning of a file of so many bytes of samples; None: as many as follow."""
    size = _ENDLESS if bytes is None else bytes
    whole = _ENDLESS if bytes is None else bytes + HEADER_BYTES - 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * _BYTES, _BYTES, 8 * _BYTES)
    riff = struct.pack("<4sI4s", b"RIFF", whole, b"WAVE")
    return riff + form + struct.pack("<4sI", b"data", size)


def pcm(samples: Samples) -> bytes:
    """Samples (N,) as whole numbers of 16 bits; what is beyond full scale is cut there."""
    return (np.clip(samples, -1, 1) * np.float32(32767)).round().astype("<i2").tobytes()


class WavStream:
    """A pipe that gets sound as it is made."""

    def __init__(self, file: IO[bytes], rate: int) -> None:
        """Write the beginning."""
        self._file = file
        file.write(header(rate))

    def write(self, samples: Samples) -> None:
        """Append samples (N,), and let who reads have them at once."""
        self._file.write(pcm(samples))
        self._file.flush()


class WavFile:
    """A file that gets its name when it is whole: `with WavFile(path, rate) as file: …`."""

    def __init__(self, path: Path, rate: int) -> None:
        """Open it beside its place; raises DataError where that cannot be."""
        self._path, self._rate, self._bytes = path, rate, 0
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self._file = self._part.open("wb")
            self._file.write(header(rate, 0))
        except OSError as fault:
            raise self._fault(fault) from fault

    def write(self, samples: Samples) -> None:
        """Append samples (N,); raises DataError for too many, and where the disk is full."""
        if not np.isfinite(samples).all():
            raise DataError("samples that are no numbers cannot be written.", where=str(self._path))
        data = pcm(samples)
        self._bytes += len(data)
        if self._bytes >= _ENDLESS - HEADER_BYTES:
            fix = "Write flac or ogg, or several files."
            raise DataError("would be longer than wav can be.", where=str(self._path), fix=fix)
        try:
            self._file.write(data)
        except OSError as fault:
            raise self._fault(fault) from fault

    def __enter__(self) -> "WavFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._leave()
            return
        try:
            self._file.seek(0)
            self._file.write(header(self._rate, self._bytes))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            self._leave()
            raise self._fault(error) from error

    def _leave(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _fault(self, fault: OSError) -> DataError:
        return DataError(f"cannot be written: {fault.strerror}.", where=str(self._path))
