"""What a metric is, and how sure its value is."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from loquent.errors import DataError

Counts = NDArray[np.float64]  # (C,): sums over examples, from which the value is made

_RESAMPLES = 1000
_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number about answers, made of counts of each example that add up."""

    name: str
    reads: Literal["likelihood", "classes", "texts"]  # what its `count` is given
    higher_is_better: bool
    count: Callable[[Any, Any, int], Sequence[float]]  # (answer, target, classes) -> (C,)
    score: Callable[[Counts], float]

    def better(self, value: float, than: float) -> bool:
        """Whether one value is better than another; nothing is worse than NaN."""
        if math.isnan(value) or math.isnan(than):
            return math.isnan(than) and not math.isnan(value)
        return value > than if self.higher_is_better else value < than


@dataclass(frozen=True)
class Score:
    """A metric's value over some examples, with the bounds of its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    examples: int


def scored(metric: Metric, counts: NDArray[np.float64], *, seed: int = 0) -> Score:
    """The score of the counts (N, C) of N examples.

    The interval is the percentile bootstrap over examples (Efron and Tibshirani 1993, §13.3),
    with 1,000 resamples. Raises DataError where there is no example.
    """
    if not len(counts):
        raise DataError("there are no examples to score.", where=metric.name)
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(_RESAMPLES):
        drawn = np.bincount(generator.integers(0, len(counts), len(counts)), minlength=len(counts))
        values.append(metric.score(drawn @ counts))
    edge = (1 - _LEVEL) / 2
    low, high = np.nanquantile(values, (edge, 1 - edge))
    return Score(
        metric.name, metric.score(counts.sum(axis=0)), float(low), float(high), len(counts)
    )
