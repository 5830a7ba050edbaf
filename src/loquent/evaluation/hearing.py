"""Judging transcripts: the words and characters that a model hears otherwise than people wrote."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from loquent.audio.reading import read_sound
from loquent.checkpoints.detectors import fetched_detector
from loquent.data.reading import Record
from loquent.errors import DataError, RequestError
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.job import Job, Look
from loquent.evaluation.settings import Settings
from loquent.lm.lm import LM
from loquent.metrics import METRICS, in_language
from loquent.tasks.speech_decoding import Hearing
from loquent.tasks.transcribing import transcribe_all

_RATES = ("wer-normalized", "wer", "cer-normalized", "cer")


def recordings(record: Record, _: Settings) -> Iterator[Item]:
    """A recording, and what is said in it."""
    audio, text = record.values.get("audio"), record.values.get("text")
    if not isinstance(text, str) or not text.strip():
        raise DataError("does not say what is said ('text').", where=record.where)
    if not Path(str(audio)).is_file():
        raise DataError(f"the recording {audio} is not there.", where=record.where)
    yield Item(asked=str(audio), targets=(text,), measured=text, where=record.where)


class _Hearer:
    """A model that hears; speech is told from all else as `loquent transcribe` does."""

    classes: tuple[str, ...] = ()
    several, note = False, ""

    def __init__(self, lm: LM, settings: Settings, look: Look) -> None:
        language = settings.source
        self._lm, self._hearing = lm, Hearing(language=language, beams=max(settings.beams, 1))
        self._detector = fetched_detector()
        self._near = METRICS[in_language("cer", settings.language or look.language).name]
        self.setting = f"speech by:{self._detector.name}|beams:{self._hearing.beams}"
        self.setting += f"|language:{language or 'found'}"

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        """Hear some recordings together."""
        sounds = []
        for item in items:
            try:
                sounds.append(read_sound(Path(item.shown)))
            except DataError as fault:
                raise RequestError(fault.what, where=item.where) from fault
        made = transcribe_all(self._lm, sounds, self._hearing, detector=self._detector)
        for item, each in zip(items, made, strict=True):
            if isinstance(each, DataError):
                raise RequestError(each.what, where=item.where)
            yield [self._outcome(item, each.text, "")]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """Nothing is heard."""
        return [self._outcome(item, "", error)]

    def _outcome(self, item: Item, text: str, error: str) -> Outcome:
        targets = list(item.targets)
        edits = self._near.score(np.asarray(self._near.count(text, targets, 0), np.float64))
        return Outcome(told=text, facts={"texts": (text, targets)}, goodness=-edits, error=error)


def _judge(lm: LM | None, settings: Settings, look: Look) -> _Hearer:
    assert lm is not None
    return _Hearer(lm, settings, look)


def _metrics(settings: Settings, language: str) -> list[str]:
    code = settings.language or settings.source or language
    return [in_language(name, code).name for name in _RATES]


TRANSCRIBE = Job(
    name="transcribe",
    does="write down what is said in recordings",
    application="transcribe",
    metrics=_metrics,
    items=recordings,
    judge=_judge,
    used=("source", "language", "beams"),
    size=8,
    sounds=True,
)
