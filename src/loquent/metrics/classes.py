"""How often a class was named rightly."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric

Classes = NDArray[np.integer]  # (N,): the answers or targets of one example; -1: none


def _right(answers: Classes, targets: Classes, _classes: int) -> tuple[float, float]:
    return float((answers == targets).sum()), float(len(targets))


def _accuracy(total: Counts) -> float:
    """The share of right answers."""
    return float(total[0] / total[1]) if total[1] else math.nan


def _confusions(answers: Classes, targets: Classes, classes: int) -> Counts:
    """Right, wrongly named and missed answers of each class, one class behind the other."""
    right, named, meant = (
        np.bincount(each[each >= 0], minlength=classes)
        for each in (targets[answers == targets], answers, targets)
    )
    return np.stack([right, named - right, meant - right], axis=1).ravel().astype(np.float64)


def by_class(total: Counts) -> NDArray[np.float64]:
    """Precision, recall, F1 and how often it was meant, of each class (classes, 4).

    NaN where there is nothing to divide by: a class that was never named has no precision.
    """
    right, wrong, missed = total.reshape(-1, 3).T
    with np.errstate(invalid="ignore"):
        made = [right / (right + wrong), right / (right + missed)]
        made += [2 * right / (2 * right + wrong + missed), right + missed]
    return np.stack(made, axis=1)


def _macro(place: int) -> Callable[[Counts], float]:
    def mean(total: Counts) -> float:
        """The mean over the classes that were named or meant; one without a value counts 0."""
        seen = total.reshape(-1, 3).sum(axis=1) > 0
        if not seen.any():
            return math.nan
        return float(np.nan_to_num(by_class(total)[seen, place]).mean())

    return mean


def _micro(place: int) -> Callable[[Counts], float]:
    def pooled(total: Counts) -> float:
        """Of all classes together."""
        return float(by_class(total.reshape(-1, 3).sum(axis=0))[0, place])

    return pooled


def _correlation(total: Counts) -> float:
    """The correlation of what was told and what was meant (Gorodkin 2004, equation 8).

    With two classes it is that of Matthews 1975. 0 where only one class was told, or meant.
    """
    right, wrong, missed = total.reshape(-1, 3).T
    told, meant, examples = right + wrong, right + missed, (right + missed).sum()
    above = right.sum() * examples - told @ meant
    below = (examples**2 - told @ told) * (examples**2 - meant @ meant)
    return float(above / math.sqrt(below)) if below > 0 else 0.0


def _metric(name: str, score: Callable[[Counts], float], average: str) -> Metric:
    return Metric(
        name=name,
        reads="classes",
        higher_is_better=True,
        count=_confusions,
        score=score,
        variant=f"average:{average}" if average else "variant:multiclass",
    )


ACCURACY = Metric(
    name="accuracy",
    reads="classes",
    higher_is_better=True,
    count=_right,
    score=_accuracy,
    variant="of:answers",
)
# Of choices of different length, as lm-evaluation-harness has it (Gao et al. 2021).
ACCURACY_NORM = Metric(
    name="accuracy_norm",
    reads="normalized",
    higher_is_better=True,
    count=_right,
    score=_accuracy,
    variant="of:answers|log p by:character",
)
# Van Rijsbergen 1979, chapter 7; the macro average of Opitz and Burst 2019, equation 3.
F1 = _metric("f1", _macro(2), "macro")
PRECISION = _metric("precision", _macro(0), "macro")
RECALL = _metric("recall", _macro(1), "macro")
F1_MICRO = _metric("f1_micro", _micro(2), "micro")
PRECISION_MICRO = _metric("precision_micro", _micro(0), "micro")
RECALL_MICRO = _metric("recall_micro", _micro(1), "micro")
MCC = _metric("mcc", _correlation, "")
