"""Two systems on the same examples: how far apart they are, and whether by more than chance."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.errors import DataError
from loquent.metrics.counts import RESAMPLES, CountTable, resampled
from loquent.metrics.metric import Metric, bounds

TRIALS = 1000  # of the randomization

_TOSSES = 1 << 23  # of coins, in some trials at a time
_POWER = 1.959964 + 0.841621  # normal quantiles of 97.5 % and 80 %


@dataclass(frozen=True)
class Difference:
    """How much better or worse a second system is than a first under one metric."""

    name: str
    value: float  # of the second less that of the first
    low: float  # bounds of its 95 % interval
    high: float
    won: float  # the share of resamples in which the second is better (Koehn 2004, §4)
    p: float  # how often chance alone sets them so far apart (Riezler and Maxwell 2005, §4)
    detectable: float  # what these examples would show at 5 % in four of five cases
    examples: int
    differing: int  # examples whose counts are not the same
    signature: str


def difference(
    metric: Metric, first: CountTable, second: CountTable, *, seed: int = 0
) -> Difference:
    """The difference of two systems' counts of the same examples, in the same order.

    The interval and `won` come from the paired bootstrap (Koehn 2004) with 1,000 resamples, `p`
    from the two-sided approximate randomization (Riezler and Maxwell 2005) with 1,000 trials: in
    each the two answers to an example change places at a coin's toss. Raises DataError where there
    are no examples, or not as many of both.
    """
    if not first.examples or first.examples != second.examples:
        what = f"{first.examples:,} and {second.examples:,} examples cannot be compared."
        raise DataError(what, where=metric.name)
    sides = first.total(), second.total()
    value = metric.score(sides[1]) - metric.score(sides[0])
    drawn = np.array(
        [
            (metric.score(one), metric.score(other))
            for parts in resampled([first, second], seed=seed)
            for one, other in zip(*parts, strict=True)
        ]
    )
    apart = drawn[:, 1] - drawn[:, 0]
    low, high = bounds(apart)
    known = apart[~np.isnan(apart)]
    better = known if metric.higher_is_better else -known
    changed = _changed(first, second)
    by_chance = [
        abs(metric.score(sides[1] - moved) - metric.score(sides[0] + moved))
        for moved in _swapped(changed, seed)
    ]
    beyond = np.sum(np.array(by_chance) >= abs(value) - 1e-12) if by_chance else TRIALS
    return Difference(
        name=metric.name,
        value=value,
        low=low,
        high=high,
        won=float((np.sum(better > 0) + np.sum(better == 0) / 2) / max(len(better), 1)),
        p=math.nan if math.isnan(value) else float((beyond + 1) / (TRIALS + 1)),
        detectable=float(_POWER * np.nanstd(apart)),
        examples=first.examples,
        differing=changed.examples,
        signature=f"{metric.signature}|paired bootstrap:{RESAMPLES}"
        f"|approximate randomization:{TRIALS}|seed:{seed}",
    )


def _changed(first: CountTable, second: CountTable) -> CountTable:
    """The second's counts less the first's, of the examples in which they differ."""
    made = CountTable()
    for one, other in zip(first.blocks(), second.blocks(), strict=True):
        for row in other - one:
            if row.any():
                made.add(row)
    return made


def _swapped(changed: CountTable, seed: int) -> Iterator[NDArray[np.float64]]:
    """What each trial takes from the second and gives to the first (C,)."""
    if not changed.examples:
        return
    step = max(1, min(TRIALS, _TOSSES // changed.examples))
    for first in range(0, TRIALS, step):
        count = min(step, TRIALS - first)
        generator = np.random.default_rng((seed, first, 1))  # not the seeds of the resamples
        yield from changed.weighted(
            generator.integers(0, 2, (count, changed.examples), dtype=np.uint16)
        )
