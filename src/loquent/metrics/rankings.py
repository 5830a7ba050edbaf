"""How far up in what was found the right ones stand."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence

from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric

Found = Sequence[Hashable]  # the best first
Gains = Mapping[Hashable, float]  # of what is right; all else gains nothing

_PLACES = (1, 5, 10)  # of recall@k
_DEPTH = 10  # of nDCG and the reciprocal rank


def _recall(places: int) -> Callable[[Found, Gains], float]:
    def share(found: Found, gains: Gains) -> float:
        """How many of the right ones are among the first `places`."""
        right = {each for each, gain in gains.items() if gain > 0}
        return len(right.intersection(found[:places])) / len(right) if right else math.nan

    return share


def _reciprocal(found: Found, gains: Gains) -> float:
    """One by the place of the first right one (Voorhees 1999, §3); 0 where there is none."""
    right = (place for place, each in enumerate(found, 1) if gains.get(each, 0) > 0)
    return 1 / next(right, math.inf)


def _discounted(found: Found, gains: Gains) -> float:
    """Gains by the logarithm of their place, by the most that there could be.

    Järvelin and Kekäläinen 2002, §2.2, with the discount log2(place + 1) of Burges et al. 2005.
    """
    best = sorted((gain for gain in gains.values() if gain > 0), reverse=True)
    most = _sum(best[:_DEPTH])
    return _sum([gains.get(each, 0.0) for each in found[:_DEPTH]]) / most if most else math.nan


def _sum(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))


def _metric(name: str, value: Callable[[Found, Gains], float], variant: str) -> Metric:
    def count(found: Found, gains: Gains, _classes: int) -> tuple[float, float]:
        """A question to which nothing is right is left out of the mean."""
        made = value(found, gains)
        return (0.0, 0.0) if math.isnan(made) else (made, 1.0)

    def score(total: Counts) -> float:
        return float(total[0] / total[1]) if total[1] else math.nan

    return Metric(
        name=name,
        reads="rankings",
        higher_is_better=True,
        count=count,
        score=score,
        variant=variant,
    )


RECALLS = tuple(
    _metric(f"recall@{places}", _recall(places), f"mean over questions|depth:{places}")
    for places in _PLACES
)
RECIPROCAL_RANK = _metric("mrr", _reciprocal, "mean over questions|depth:all")
NDCG = _metric(
    "ndcg@10", _discounted, f"mean over questions|depth:{_DEPTH}|discount:log2|gain:linear"
)
