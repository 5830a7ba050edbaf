"""A stream of wav, whose length need not be known when it begins: for pipes and players.

It needs no package. 16 bits, one channel; files go through `audio/writing.py`.
"""

import struct
from typing import IO

import numpy as np

from loquent.audio.sound import Samples

_ENDLESS = 0xFFFF_FFFF  # in place of sizes that are not known; readers go on to the end
_BYTES = 2  # of a sample


def header(rate: int) -> bytes:
    """The beginning of a file of unknown length."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * _BYTES, _BYTES, 8 * _BYTES)
    riff = struct.pack("<4sI4s", b"RIFF", _ENDLESS, b"WAVE")
    return riff + form + struct.pack("<4sI", b"data", _ENDLESS)


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
