"""A sound: samples of one channel, and how many there are of a second."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.errors import DataError

Samples = NDArray[np.float32]

RATES = (1_000, 768_000)  # samples per second that are executed here


@dataclass(frozen=True)
class Sound:
    """One channel of sound; full scale is from -1 to 1."""

    samples: Samples  # (N,)
    rate: int  # samples per second

    def __post_init__(self) -> None:
        if self.samples.ndim != 1:
            raise DataError(f"a sound has one axis, not the shape {self.samples.shape}.")
        if not RATES[0] <= self.rate <= RATES[1]:
            raise DataError(f"{self.rate} samples a second are not from {RATES[0]} to {RATES[1]}.")

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    def part(self, start_seconds: float, end_seconds: float) -> "Sound":
        """From one time to another; what lies outside is not there."""
        start, end = (max(round(each * self.rate), 0) for each in (start_seconds, end_seconds))
        return Sound(self.samples[start:end], self.rate)
