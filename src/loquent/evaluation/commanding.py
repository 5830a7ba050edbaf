"""Judging spoken commands: which one a recording is, or that it is none of them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from loquent.audio.reading import read_sound
from loquent.data.reading import Record
from loquent.data.shapes import Columns
from loquent.errors import DataError, RequestError
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.job import Job, Look
from loquent.evaluation.settings import Settings
from loquent.lm.lm import LM
from loquent.tasks import TASKS
from loquent.tasks.listening import REFUSED, THRESHOLD, Listener

OTHER = "(none)"  # the class of what is no command
_METRICS = ("accuracy", "f1", "precision", "recall", "mcc", "calibration_error")


def spoken(record: Record, settings: Settings) -> Iterator[Item]:
    """A recording of one command, and which it is."""
    values = TASKS["command"].normal(record, Columns(**settings.columns)).values
    audio, label = str(values["audio"]), values["label"]
    if not isinstance(label, str):
        raise DataError("has several commands: a recording is of one.", where=record.where)
    if not Path(audio).is_file():
        raise DataError(f"the recording {audio} is not there.", where=record.where)
    yield Item(asked=audio, targets=(label,), measured=label, where=record.where)


class _Listening:
    """A model that hears commands, each recording as a whole."""

    several = False

    def __init__(self, lm: LM, settings: Settings, look: Look) -> None:
        threshold = THRESHOLD if settings.threshold is None else settings.threshold
        self._listener = Listener(lm, settings.labels, threshold)
        self.classes = (*self._listener.commands, OTHER)
        self._numbers = {name: number for number, name in enumerate(self._listener.commands)}
        self.setting = f"commands:{','.join(self._numbers)}|threshold:{threshold:g}"
        self.note = self._others(look)

    def _others(self, look: Look) -> str:
        """Labels that are no command, and so are right where nothing is heard."""
        found = Counter(item.targets[0] for item in look.items())
        others = [
            f"{name!r} ({count:,})"
            for name, count in found.items()
            if name not in self._numbers and name.lower() not in REFUSED
        ]
        return f"labels that are no command of the model: {', '.join(others)}" if others else ""

    def _meant(self, item: Item) -> int:
        return self._numbers.get(item.targets[0], len(self._numbers))

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        """Hear each recording."""
        for item in items:
            try:
                heard = self._listener.hear(read_sound(Path(item.shown), self._listener.rate))
            except DataError as fault:
                raise RequestError(fault.what, where=item.where) from fault
            chances = [heard.chances[name] for name in self._listener.commands]
            chances.append(max(1.0 - sum(chances), 0.0))
            said = self._numbers.get(heard.label, len(self._numbers))
            meant = self._meant(item)
            yield [
                Outcome(
                    told=f"{self.classes[said]} {heard.chance:.3f}",
                    facts={
                        "classes": ([said], [meant]),
                        "chances": ((np.array(chances) / sum(chances)).tolist(), meant),
                    },
                    goodness=float(chances[meant]),
                )
            ]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """No command at all, and each as likely as the others."""
        meant, count = self._meant(item), len(self.classes)
        facts = {"classes": ([-1], [meant]), "chances": ([1 / count] * count, meant)}
        return [Outcome(told="", facts=facts, goodness=0.0, error=error)]


def _judge(lm: LM | None, settings: Settings, look: Look) -> _Listening:
    assert lm is not None
    return _Listening(lm, settings, look)


COMMAND = Job(
    name="command",
    does="tell which command a recording is, or that it is none",
    application="transcribe",
    metrics=lambda _, __: _METRICS,
    items=spoken,
    judge=_judge,
    used=("labels", "threshold"),
    sounds=True,
)
