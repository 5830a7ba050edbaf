"""Judging classes: which one a text is of, and how sure the model is of it."""

from collections.abc import Iterator, Sequence

import numpy as np

from loquent.data.reading import Record
from loquent.data.shapes import Columns, normal
from loquent.errors import DataError, UsageError, nearest, together
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.job import Job, Look
from loquent.evaluation.settings import Settings
from loquent.lm.lm import LM
from loquent.tasks.classifying import class_names, tell

_ONE = (
    "accuracy", "f1", "precision", "recall", "mcc", "roc_area", "pr_area", "calibration_error",
)  # fmt: skip
_SEVERAL = ("f1", "f1_micro", "precision_micro", "recall_micro", "accuracy")
_MOST_FAULTS = 20
_THRESHOLD = 0.5  # chance from which one of several labels holds


def items(record: Record, settings: Settings) -> Iterator[Item]:
    """A text with its label, or with all labels that hold."""
    values = normal(record, Columns(**settings.columns)).values
    label = values.get("label")
    if not isinstance(values.get("text"), str) or label is None:
        raise DataError("needs a text and a label.", where=record.where)
    targets = (label,) if isinstance(label, str) else tuple(label)
    yield Item(asked=values["text"], targets=targets, where=record.where)


class _Classes:
    """A model that tells classes."""

    def __init__(self, lm: LM, settings: Settings, look: Look) -> None:
        self._lm, self._settings = lm, settings
        output = lm.network.config.output
        known = class_names(lm) if output in ("class", "labels") else ()
        self.classes = settings.labels or known
        if not self.classes:
            raise UsageError(
                "this model has no classes of its own.", fix="Give --labels, such as good,bad."
            )
        self.several = settings.several or output == "labels"
        self._numbers = {name: number for number, name in enumerate(self.classes)}
        self.note = self._by_number(look) if not settings.labels else ""
        self.setting = f"labels:{'given' if settings.labels else 'learned'}"
        if settings.temperature != 1.0:
            self.setting += f"|temperature:{settings.temperature:g}"
        self._threshold = _THRESHOLD if settings.threshold is None else settings.threshold
        if self.several:
            self.setting += f"|threshold:{self._threshold:g}"
        self._check(look)

    def _by_number(self, look: Look) -> str:
        """Labels of data may be the numbers of classes that the model has names for."""
        found = {name for item in look.items() for name in item.targets}
        numbers = {str(number): number for number in range(len(self.classes))}
        if found & set(self.classes) or not found or not found <= set(numbers):
            return ""
        self._numbers = numbers
        told = ", ".join(f"{number} = {name}" for number, name in enumerate(self.classes))
        return f"the labels are numbers of the model's classes: {told}"

    def _check(self, look: Look) -> None:
        faults: list[DataError] = []
        for item in look.items():
            for name in item.targets:
                if name not in self._numbers and len(faults) < _MOST_FAULTS:
                    what = f"the label {name!r} is none of the model's."
                    fix = nearest(name, self._numbers)
                    faults.append(DataError(what, where=item.where, fix=fix))
        if faults:
            raise together(DataError, faults)

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        given, count = self._settings, len(self.classes)
        told = tell(
            self._lm,
            [item.asked for item in items],  # type: ignore[misc]  # texts or pairs
            labels=given.labels,
            several=given.several,
            template=given.template,
            truncate=given.truncate,
        )
        chances = told.probabilities(given.temperature)
        for item, row, dropped in zip(items, chances, told.dropped, strict=True):
            meant = [self._numbers[name] for name in item.targets]
            if self.several:
                said = [number for number in range(count) if row[number] >= self._threshold]
                names = ", ".join(self.classes[each] for each in said) or "(none)"
                worst = [row[n] if n in meant else 1 - row[n] for n in range(count)]
                outcome = Outcome(
                    told=names,
                    facts={"classes": (_flags(said, count), _flags(meant, count))},
                    goodness=float(min(worst)),
                    dropped_tokens=dropped,
                )
            else:
                first = int(np.argmax(row))
                outcome = Outcome(
                    told=f"{self.classes[first]} {row[first]:.3f}",
                    facts={
                        "classes": ([first], meant),
                        "chances": ([float(each) for each in row], meant[0]),
                    },
                    goodness=float(row[meant[0]]),
                    dropped_tokens=dropped,
                )
            yield [outcome]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """No class at all, and each as likely as the others."""
        meant, count = [self._numbers[name] for name in item.targets], len(self.classes)
        if self.several:
            facts = {"classes": ([-1] * count, _flags(meant, count))}
            return [Outcome(told="", facts=facts, goodness=0.0, error=error)]
        chances = ([1 / count] * count, meant[0])
        return [
            Outcome(
                told="",
                facts={"classes": ([-1], meant), "chances": chances},
                goodness=0.0,
                error=error,
            )
        ]


def _flags(numbers: Sequence[int], count: int) -> list[int]:
    """Each class's number where it holds, else -1."""
    return [number if number in numbers else -1 for number in range(count)]


def _judge(lm: LM | None, settings: Settings, look: Look) -> _Classes:
    assert lm is not None
    return _Classes(lm, settings, look)


CLASSIFY = Job(
    name="classify",
    does="tell the class of a text, or all labels that hold",
    application="classify",
    metrics=lambda settings, _: _SEVERAL if settings.several else _ONE,
    items=items,
    judge=_judge,
    used=("labels", "several", "template", "temperature", "threshold", "truncate"),
    several=_SEVERAL,
)
