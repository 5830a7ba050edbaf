"""What a metric is, and how sure its value is."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from loquent.errors import DataError
from loquent.metrics.counts import RESAMPLES, Counts, CountTable, resampled

# What `count` is given as answer and target, and as the number of classes where there are any:
# likelihood: nats, tokens. sizes: nats, (tokens, words, bytes). classes: arrays of numbers, -1 for
# none. normalized: the same, by likelihoods that do not depend on length. chances: the
# probabilities (C,) of each class, the class. texts: a text, a text or several that are equally
# right. rankings: what was found, the best first; the gain of each right one.
Reads = Literal["likelihood", "sizes", "classes", "normalized", "chances", "texts", "rankings"]

_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number about answers, made of counts of each example that add up."""

    name: str
    reads: Reads
    higher_is_better: bool
    count: Callable[[Any, Any, int], Sequence[float] | Counts]  # (answer, target, classes) -> (C,)
    score: Callable[[Counts], float]
    variant: str  # which of the ways to compute it, as `name:value|name:value`
    package: str = ""  # that computes it, whose version belongs to the signature

    @property
    def signature(self) -> str:
        """What somebody must know to get the same number: the variant and versions."""
        if not self.package:
            return self.variant
        try:
            return f"{self.variant}|{self.package}:{version(self.package)}"
        except PackageNotFoundError:
            return f"{self.variant}|{self.package}:missing"

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
    signature: str


def scored(
    metric: Metric,
    counts: NDArray[np.float64] | CountTable,
    *,
    seed: int = 0,
    setting: str = "",
) -> Score:
    """The score of the counts (N, C) of N examples.

    The interval is the percentile bootstrap over examples (Efron and Tibshirani 1993, §13.3),
    with 1,000 resamples. `setting` is what else belongs into the signature, such as a stride.
    Raises DataError where there is no example.
    """
    table = counts if isinstance(counts, CountTable) else CountTable.of(counts)
    if not table.examples:
        raise DataError("there are no examples to score.", where=metric.name)
    values = [
        metric.score(total) for (totals,) in resampled([table], seed=seed) for total in totals
    ]
    low, high = bounds(np.array(values))
    parts = (metric.signature, setting, f"bootstrap:{RESAMPLES}", f"seed:{seed}")
    signature = "|".join(part for part in parts if part)
    value = metric.score(table.total())
    return Score(metric.name, value, low, high, table.examples, signature)


def bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    """Between which the middle 95 % of values lie; NaN where all are."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    edge = (1 - _LEVEL) / 2
    low, high = np.quantile(known, (edge, 1 - edge))
    return float(low), float(high)
