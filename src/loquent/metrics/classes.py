"""How often a class was named rightly."""

import math

import numpy as np
from numpy.typing import NDArray

from loquent.metrics.metric import Counts, Metric

Classes = NDArray[np.integer]  # (N,): the answers or targets of one example; -1: none


def _right(answers: Classes, targets: Classes, _classes: int) -> tuple[float, float]:
    return float((answers == targets).sum()), float(len(targets))


def _accuracy(total: Counts) -> float:
    """The share of right answers."""
    return float(total[0] / total[1]) if total[1] else math.nan


def _confusions(answers: Classes, targets: Classes, classes: int) -> list[float]:
    """Right, wrongly named and missed answers of each class, one class behind the other."""
    right, named, meant = (
        np.bincount(each[each >= 0], minlength=classes)
        for each in (targets[answers == targets], answers, targets)
    )
    made: list[float] = np.stack([right, named - right, meant - right], axis=1).ravel().tolist()
    return made


def _f1(total: Counts) -> float:
    """The mean over classes of 2 right / (2 right + wrong + missed); unseen classes are left out.

    Van Rijsbergen 1979, chapter 7; the macro average of Opitz and Burst 2019, equation 3.
    """
    right, wrong, missed = total.reshape(-1, 3).T
    seen = right + wrong + missed > 0
    if not seen.any():
        return math.nan
    return float(np.mean(2 * right[seen] / (2 * right + wrong + missed)[seen]))


ACCURACY = Metric(
    name="accuracy", reads="classes", higher_is_better=True, count=_right, score=_accuracy
)
F1 = Metric(name="f1", reads="classes", higher_is_better=True, count=_confusions, score=_f1)
