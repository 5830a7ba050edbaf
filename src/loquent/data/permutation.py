"""Chance without state: hashes of numbers, and shuffled orders that need no list."""

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_WORD = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """A hash of 64 bits of some integers, in their order."""
    state = 0
    for number in numbers:  # the same as `scattered`, which is for many at once
        state = ((state ^ number) + _GOLDEN) & _WORD
        state = ((state ^ (state >> 30)) * _FIRST) & _WORD
        state = ((state ^ (state >> 27)) * _SECOND) & _WORD
        state ^= state >> 31
    return state


def scattered(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of each number: SplitMix64 (Steele, Lea and Flood 2014, figure 14)."""
    mixed = values + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_FIRST)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_SECOND)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)


class Permutation:
    """A shuffled order of the numbers below `count`, computed place by place.

    A Feistel network over the next even power of two; what falls outside is sent through again
    ("cycle walking", Black and Rogaway 2002, section 3), so that each number comes exactly once.
    """

    def __init__(self, count: int, key: int) -> None:
        self.count = count
        self._half = max((max(count - 1, 1).bit_length() + 1) // 2, 1)
        self._keys = [np.uint64(mix(key, number)) for number in range(_ROUNDS)]

    def __call__(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers that stand at some places, all below `count`."""
        made = self._once(places.astype(np.uint64))
        while (outside := np.flatnonzero(made >= self.count)).size:
            made[outside] = self._once(made[outside])
        return made.astype(np.int64)

    def _once(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        half = np.uint64(self._half)
        mask = np.uint64((1 << self._half) - 1)
        left, right = values >> half, values & mask
        for key in self._keys:
            left, right = right, left ^ (scattered(right ^ key) & mask)
        return np.asarray((left << half) | right, np.uint64)
