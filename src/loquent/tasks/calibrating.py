"""Probabilities that can be trusted: temperature scaling, and thresholds for what is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.errors import DataError, UsageError, nearest, together
from loquent.metrics import METRICS
from loquent.metrics.chances import temperature as fitted_temperature
from loquent.tasks.classifying import Told

_ERROR = METRICS["calibration_error"]


@dataclass(frozen=True)
class Calibrated:
    """What labeled texts say of a model's probabilities."""

    temperature: float  # to divide logits by
    before: float  # expected calibration error of the same texts without it
    after: float  # and with it
    accuracy: float
    examples: int

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self)}


@dataclass(frozen=True)
class Threshold:
    """From which probability on a class is told, and what that gives on the labeled texts."""

    label: str
    value: float
    precision: float
    recall: float


def numbers(told: Told, labels: Sequence[str]) -> NDArray[np.int64]:
    """The number of each label among the classes; raises DataError with all that are unknown."""
    known = {name: number for number, name in enumerate(told.names)}
    faults = [
        DataError(f"the label {each!r} is none of the model's.", fix=nearest(each, known))
        for each in dict.fromkeys(labels)
        if each not in known
    ]
    if faults:
        raise together(DataError, faults)
    return np.array([known[each] for each in labels], np.int64)


def calibrate(told: Told, labels: Sequence[str]) -> Calibrated:
    """The temperature at which labeled texts are likeliest (Guo et al. 2017, §4.2).

    Raises UsageError where several labels may hold at once, and DataError for unknown labels.
    """
    if told.several:
        raise UsageError("a temperature is found for one class a text, not for several labels.")
    targets = numbers(told, labels)
    found = fitted_temperature(told.logits, targets)
    return Calibrated(
        temperature=found,
        before=_error(told, targets, 1.0),
        after=_error(told, targets, found),
        accuracy=float((told.logits.argmax(axis=1) == targets).mean()),
        examples=len(targets),
    )


def threshold(
    told: Told,
    labels: Sequence[str],
    label: str,
    *,
    precision: float | None = None,
    recall: float | None = None,
    temperature: float = 1.0,
) -> Threshold:
    """The threshold of a class that gives a wanted precision with the most recall, or the reverse.

    Raises UsageError unless one of the two is wanted, and where no threshold gives it.
    """
    if (precision is None) == (recall is None):
        raise UsageError("want either a precision or a recall.")
    targets = numbers(told, labels)
    (number,) = numbers(told, [label])
    chances = told.probabilities(temperature)[:, number]
    own = targets == number
    if not own.any():
        raise DataError(f"none of the texts is of the class {label!r}.")
    order = np.argsort(-chances, kind="stable")
    right = np.cumsum(own[order])
    precisions, recalls = right / np.arange(1, len(order) + 1), right / own.sum()
    # only where the next text is less likely: equal probabilities stand or fall together
    ends = np.append(chances[order][1:] < chances[order][:-1], True)
    fits = ends & (precisions >= precision if precision is not None else recalls >= recall)
    places = np.flatnonzero(fits)
    if not len(places):
        best = float(precisions[ends].max())
        raise UsageError(
            f"no threshold gives {label!r} a precision of {precision}; the most is {best:.4f}."
        )
    place = int(places[-1] if precision is not None else places[0])
    return Threshold(
        label, float(chances[order][place]), float(precisions[place]), float(recalls[place])
    )


def _error(told: Told, targets: NDArray[np.int64], temperature: float) -> float:
    """The expected calibration error over labeled texts."""
    chances = told.probabilities(temperature)
    counts = [
        np.asarray(_ERROR.count(row, int(target), len(told.names)))
        for row, target in zip(chances, targets, strict=True)
    ]
    return _ERROR.score(np.sum(counts, axis=0))
