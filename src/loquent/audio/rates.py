"""Another sampling rate, block by block, so that any length takes the same memory."""

import numpy as np

from loquent.audio.packages import soxr
from loquent.audio.sound import Samples, Sound


class Resampler:
    """Turns blocks at one rate into blocks at another, as if they were one sound."""

    def __init__(self, source_rate: int, rate: int) -> None:
        self._stream = None
        if source_rate != rate:
            self._stream = soxr().ResampleStream(source_rate, rate, 1, dtype="float32")

    def next(self, samples: Samples, last: bool = False) -> Samples:
        """What can be told so far (M,) of a further block (N,); with the last one all the rest."""
        if self._stream is None:
            return samples
        made: Samples = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return made


def resampled(sound: Sound, rate: int) -> Sound:
    """The same sound with so many samples a second; raises UserError without the package soxr."""
    if sound.rate == rate:
        return sound
    return Sound(Resampler(sound.rate, rate).next(sound.samples, last=True), rate)
