"""What headers of sound files claim, checked where the decoder would believe them."""

import io
from typing import BinaryIO

from loquent.errors import DataError

_OPEN_ENDED = 0x7FFF_0000  # sizes of wav files that were written to a pipe are about this or above
_CHUNKS = 1000  # of a wav file before its samples
_FLAC_TOTAL = (18, 26)  # bytes of STREAMINFO (RFC 9639, §8.2) whose last 36 bits count samples
_TOTAL_BITS = 36


def check_wav(file: BinaryIO, size: int, where: str) -> None:
    """Raise DataError where a wav file lacks bytes of the samples that it claims to hold."""
    file.seek(0)
    order = "big" if file.read(12)[:4] == b"RIFX" else "little"
    for _ in range(_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        length = int.from_bytes(head[4:], order)  # type: ignore[arg-type]
        at = file.tell()
        if head[:4] == b"data":
            if at + length > size and length < _OPEN_ENDED:
                raise DataError(
                    f"claims {length:,} bytes of samples, and {size - at:,} are there.",
                    where=where,
                    fix="Was it cut on the way? Fetch it again.",
                )
            break
        file.seek(at + length + (length & 1))
    file.seek(0)


def flac_total(file: BinaryIO) -> int:
    """How many samples of each channel a flac file claims to hold; 0 where it does not say."""
    file.seek(0)
    head = file.read(_FLAC_TOTAL[1])
    file.seek(0)
    if len(head) < _FLAC_TOTAL[1] or head[:4] != b"fLaC" or head[4] & 0x7F:
        return 0
    return int.from_bytes(head[_FLAC_TOTAL[0] :], "big") & ((1 << _TOTAL_BITS) - 1)


class Unclaimed(io.RawIOBase):
    """A flac file whose header does not say how long it is, so that all of it is decoded."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """As of any file."""
        at = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for place in range(_FLAC_TOTAL[0] + 3, _FLAC_TOTAL[1]):  # the last 36 bits are 4½ bytes
            if at <= place < at + len(data):
                data[place - at] &= 0xF0 if place == _FLAC_TOTAL[0] + 3 else 0
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._file.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True
