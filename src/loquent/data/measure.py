"""Lengths of many texts, kept as counts."""

from collections import Counter
from collections.abc import Mapping

_EXACT = 100_000  # longer lengths are kept with three digits


class Lengths:
    """How often each length came."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._longest = 0
        self._sum = 0
        self.count = 0

    def add(self, length: int) -> None:
        """Count a length."""
        self._longest = max(self._longest, length)
        self._sum += length
        self.count += 1
        kept = length
        if length >= _EXACT:
            scale = 10 ** (len(str(length)) - 3)
            kept = length // scale * scale
        self._counts[kept] += 1

    def over(self, most: int) -> int:
        """How many are longer."""
        return sum(times for length, times in self._counts.items() if length > most)

    def summary(self) -> Mapping[str, float | int]:
        """Mean, median, the length that 95 % do not exceed, and the longest."""
        if not self.count:
            return {"mean": 0.0, "median": 0, "p95": 0, "longest": 0}
        return {
            "mean": round(self._sum / self.count, 1),
            "median": self._at(0.5),
            "p95": self._at(0.95),
            "longest": self._longest,
        }

    def _at(self, share: float) -> int:
        seen = 0
        for length in sorted(self._counts):
            seen += self._counts[length]
            if seen >= share * self.count:
                return length
        return self._longest
