"""How good probabilities are: how well they rank, and whether they are as high as they should be.

Areas under curves are no sums over examples. The log-odds of each class are sorted into narrow
bins, and the counts of the bins are sums; what lies in one bin is a tie.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric

BINS = 512  # of log-odds, for areas
_ODDS = 16.0  # log-odds beyond these are in the outermost bins
CONFIDENCES = 15  # bins of the likeliest class's probability (Guo et al. 2017, §4)

Chances = NDArray[np.floating]  # (C,): the probability of each class


def bins(chances: Chances) -> NDArray[np.int64]:
    """The bin of each probability, from 0 to BINS - 1."""
    wide = np.clip(np.asarray(chances, np.float64), 0.0, 1.0)
    with np.errstate(divide="ignore"):
        odds = np.clip(np.log(wide) - np.log1p(-wide), -_ODDS, _ODDS)
    made: NDArray[np.int64] = np.minimum((odds + _ODDS) / (2 * _ODDS) * BINS, BINS - 1).astype(
        np.int64
    )
    return made


def _histograms(chances: Chances, target: int, classes: int) -> Counts:
    """For each class the bins of examples that are not of it, and of those that are."""
    made = np.zeros((classes, 2, BINS))
    found = bins(chances)
    numbers = np.arange(classes)
    made[numbers, (numbers == target).astype(int), found] = 1
    return made.ravel()


def _areas(total: Counts, precision: bool) -> float:
    """The mean over the classes that have both kinds of examples; of two classes the second's."""
    tables = total.reshape(-1, 2, BINS)
    if len(tables) == 2:
        tables = tables[1:]
    values = [
        _average_precision(others, own) if precision else _roc(others, own)
        for others, own in tables
        if others.any() and own.any()
    ]
    return float(np.mean(values)) if values else math.nan


def _roc(others: Counts, own: Counts) -> float:
    """The chance that one of the class is above one of the others; a tie is a half.

    Hanley and McNeil 1982: the area is the statistic of Mann and Whitney.
    """
    below = np.cumsum(others) - others
    return float(own @ (below + others / 2) / (own.sum() * others.sum()))


def _average_precision(others: Counts, own: Counts) -> float:
    """Precision at each threshold, weighed by the recall that it adds (Boyd et al. 2013, §2)."""
    right = np.cumsum(own[::-1])
    named = right + np.cumsum(others[::-1])
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(right / named)
    return float(precision @ own[::-1] / own.sum())


def _confidences(chances: Chances, target: int, _classes: int) -> Counts:
    """For each bin how many examples, how many of them right, and the sum of their confidence."""
    made = np.zeros((CONFIDENCES, 3))
    told = int(np.argmax(chances))
    highest = float(chances[told])
    place = min(max(math.ceil(highest * CONFIDENCES) - 1, 0), CONFIDENCES - 1)
    made[place] = 1, told == target, highest
    return made.ravel()


def _calibration_error(total: Counts) -> float:
    """The mean distance of accuracy and confidence (Guo et al. 2017, equation 3)."""
    counts, right, confidence = total.reshape(-1, 3).T
    return float(np.abs(right - confidence).sum() / counts.sum()) if counts.any() else math.nan


class Calibration(NamedTuple):
    """One bin of a calibration curve."""

    examples: int
    accuracy: float
    confidence: float


def curve(total: Counts) -> list[Calibration]:
    """The calibration curve: what was right, and how sure the model was, in each bin in use."""
    return [
        Calibration(int(count), float(right / count), float(confidence / count))
        for count, right, confidence in total.reshape(-1, 3)
        if count
    ]


def temperature(logits: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
    """What to divide logits (N, C) by for the targets (N,) to be likeliest (Guo et al. 2017, §4.2).

    The loss is convex in 1 / temperature, which is found by golden sections between 0.01 and 100.
    """
    wide = np.asarray(logits, np.float64)
    wide = wide - wide.max(axis=1, keepdims=True)
    chosen = wide[np.arange(len(wide)), targets]

    def loss(log_inverse: float) -> float:
        inverse = math.exp(log_inverse)
        return float(np.mean(np.log(np.exp(wide * inverse).sum(axis=1)) - chosen * inverse))

    low, high = math.log(0.01), math.log(100.0)
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    there, here = loss(left), loss(right)
    while high - low > 1e-7:
        if there <= here:
            high, right, here = right, left, there
            left = high - golden * (high - low)
            there = loss(left)
        else:
            low, left, there = left, right, here
            right = low + golden * (high - low)
            here = loss(right)
    return math.exp(-(low + high) / 2)


_BINNED = f"average:macro, of two classes the second|bins:{BINS} of log-odds to ±{_ODDS:g}"
ROC_AREA = Metric(
    name="roc_area",
    reads="chances",
    higher_is_better=True,
    count=_histograms,
    score=lambda total: _areas(total, precision=False),
    variant=f"one against the rest|{_BINNED}",
)
PR_AREA = Metric(
    name="pr_area",
    reads="chances",
    higher_is_better=True,
    count=_histograms,
    score=lambda total: _areas(total, precision=True),
    variant=f"average precision, one against the rest|{_BINNED}",
)
CALIBRATION_ERROR = Metric(
    name="calibration_error",
    reads="chances",
    higher_is_better=False,
    count=_confidences,
    score=_calibration_error,
    variant=f"expected calibration error|bins:{CONFIDENCES} of equal width|of:likeliest class",
)
