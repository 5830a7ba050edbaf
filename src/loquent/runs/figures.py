"""How sure a figure is that was measured with several seeds on the same examples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

# Student 1908: 97.5 % of the t distribution lie below, by degrees of freedom from 1.
_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.959964  # 97.5 % of the normal distribution lie below


@dataclass(frozen=True)
class Figure:
    """A mean over seeds, and its 95 % interval over seeds and examples."""

    value: float
    low: float
    high: float
    seeds: int
    examples: int

    def differs(self, other: "Figure") -> bool:
        """Whether the 95 % interval of the difference is without zero.

        Its half width is that of both added as squares, which is too wide rather than too narrow:
        what the examples add is partly the same for both, as they are judged on the same.
        """
        below, above = (self, other) if self.value < other.value else (other, self)
        half = math.hypot(below.high - below.value, above.value - above.low)
        return above.value - below.value > half


def figure(values: Sequence[float], bounds: Sequence[tuple[float, float]], examples: int) -> Figure:
    """The mean over seeds, and how sure it is.

    Two independent reasons make another value: other seeds (Student's t over the seeds' values,
    Student 1908) and other examples (the mean of the seeds' own intervals, since all seeds are
    judged on the same examples). Their half widths are added as squares.
    """
    count, mean = len(values), fmean(values)
    seeds = 0.0
    if count > 1:
        student = _STUDENT[min(count - 1, len(_STUDENT)) - 1]
        seeds = student * stdev(values) / math.sqrt(count)
    below = fmean(value - low for value, (low, _) in zip(values, bounds, strict=True))
    above = fmean(high - value for value, (_, high) in zip(values, bounds, strict=True))
    return Figure(
        mean, mean - math.hypot(below, seeds), mean + math.hypot(above, seeds), count, examples
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which is no point even where all are right."""
    share, square = right / count, _NORMAL**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _NORMAL / (1 + square / count)
    half *= math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return min(middle - half, share), max(middle + half, share)
