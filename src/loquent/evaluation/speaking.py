"""How good a voice is: what a recognizer hears of it, and how far it is from recordings.

Each text is said, and held against a recording of the same text: the words that a recognizer hears
of both, the distance of their sound, their pitch and how long they last.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from loquent.audio.mel import slaney_filters
from loquent.audio.pitch import HOP_SECONDS, pitch
from loquent.audio.rates import resampled
from loquent.audio.sound import Sound
from loquent.errors import DataError
from loquent.metrics.error_rates import ERROR_RATES
from loquent.metrics.speech import Gap, cepstra, gap
from loquent.voices.silence import trimmed
from loquent.voices.speaking import speak
from loquent.voices.voice import Voice

Recognize = Callable[[Sound], str]

_RATE = 16_000
_WINDOW = 1024  # samples of a frame
_BINS = 80
_FLOOR = 1e-5  # of the loudest power, before its logarithm
_WORDS = next(each for each in ERROR_RATES if each.name == "wer-normalized-en")


@dataclass(frozen=True)
class Judged:
    """A voice over some texts."""

    texts: int
    seconds: float  # of speech that was made
    real_time_factor: float
    wer: float | None  # of what the recognizer hears of the voice
    wer_recorded: float | None  # of what it hears of the recordings
    gap: Gap  # medians over the texts

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON; the difference of both error rates is what a voice costs."""
        both = self.wer is not None and self.wer_recorded is not None
        cost = {"wer_difference": self.wer - self.wer_recorded} if both else {}  # type: ignore[operator]
        own = {name: value for name, value in vars(self).items() if name != "gap"}
        return {**own, **cost, **vars(self.gap)}


def judged(
    voice: Voice, recordings: Iterable[tuple[str, Sound]], recognize: Recognize | None = None
) -> Judged:
    """Say each text and hold it against its recording; raises DataError where there is none."""
    gaps: list[Gap] = []
    wrong = np.zeros((2, 2))  # (made and recorded, edits and words)
    seconds = took = 0.0
    for text, recorded in recordings:
        made = speak(text, voice=voice)
        seconds += made.seconds
        took += made.took_seconds
        gaps.append(gap_between(made.sound, recorded))
        for row, sound in enumerate((made.sound, recorded) if recognize else ()):
            assert recognize is not None
            wrong[row] += _WORDS.count(recognize(sound), text, 0)
    if not gaps:
        raise DataError("there is no recording to hold a voice against.")
    wer, recorded_wer = (
        float(edits / max(words, 1)) if recognize else None for edits, words in wrong
    )
    medians = {name: _median([getattr(each, name) for each in gaps]) for name in vars(gaps[0])}
    return Judged(len(gaps), seconds, took / seconds, wer, recorded_wer, Gap(**medians))


def _median(values: list[float]) -> float:
    """Of those that are numbers; NaN where none is."""
    known = [each for each in values if not np.isnan(each)]
    return float(np.median(known)) if known else float("nan")


def gap_between(made: Sound, meant: Sound) -> Gap:
    """How far a sound is from another one of the same words; silence at the ends does not count."""
    return gap(_heard(made), _heard(meant))


def _heard(sound: Sound) -> tuple[Any, Any]:
    """Cepstra (F, 13) and pitch (F,) of a sound, every 10 ms."""
    sound = resampled(sound, _RATE)
    samples = trimmed(sound.samples, _RATE)
    if not len(samples):
        raise DataError("a sound holds nothing but silence.")
    hop = round(HOP_SECONDS * _RATE)
    padded = np.pad(samples.astype(np.float64), _WINDOW // 2)
    count = max(len(samples) // hop, 1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::hop][:count]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)))
    mel = power @ slaney_filters(_BINS, _RATE, _WINDOW).T
    told = pitch(samples, _RATE)[: len(mel)]
    return cepstra(0.5 * np.log(np.maximum(mel, _FLOOR * mel.max()))), told
