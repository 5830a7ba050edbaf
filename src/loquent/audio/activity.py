"""Where somebody speaks: spans of a sound, by how likely speech is at each moment of it."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loquent.audio.rates import resampled
from loquent.audio.sound import Samples, Sound
from loquent.errors import ConfigError

Chances = NDArray[np.float32]


class Hearing(Protocol):
    """One sound on its way through a detector: what it has heard so far."""

    def next(self, samples: Samples) -> Chances:
        """The chance of speech in each whole frame of what has come; the rest is kept."""
        ...


class Detector(Protocol):
    """What tells speech from everything else."""

    name: str
    rate: int  # samples per second that it hears
    frame: int  # samples of which it tells one chance

    def begin(self) -> Hearing:
        """A new sound."""
        ...


@dataclass(frozen=True)
class Span:
    """A part of a sound."""

    start_seconds: float
    end_seconds: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, kw_only=True)
class Activity:
    """When speech begins, when it ends, and what is too short to count."""

    start_chance: float = 0.5  # from which on it is speech
    end_chance: float = 0.35  # below which it is none any more
    least_speech_seconds: float = 0.25  # shorter ones are left out
    least_silence_seconds: float = 0.1  # shorter ones belong to the speech around them
    padding_seconds: float = 0.03  # kept before and behind each span
    longest_seconds: float = math.inf  # longer spans are cut where speech is least likely

    def __post_init__(self) -> None:
        if not 0 < self.end_chance <= self.start_chance < 1:
            raise ConfigError("chances must be in (0, 1), the end's not above the start's.")
        if self.longest_seconds <= 2 * self.padding_seconds + 0.1:
            raise ConfigError(f"longest_seconds {self.longest_seconds} is too short.")


USUAL = Activity()


class Energy:
    """Speech is what is louder than the quietest tenth of a sound; it needs nothing else.

    It cannot tell speech from other sounds that come and go, such as music.
    """

    name = "energy"
    rate = 16_000
    frame = 160  # 10 ms

    def begin(self) -> Hearing:
        """A new sound."""
        return _Loudness(self.frame)


ENERGY: Detector = Energy()


class _Loudness:
    """The level of each frame beside the quietest tenth of the last half minute."""

    _KEPT = 3000  # frames
    _FEW = 100  # frames after which the quietest tenth can be trusted
    _QUIET = -45.0  # decibels below full scale: silence until then
    _LEAST = -70.0  # below which there is nothing to hear
    _MIDDLE, _WIDTH = 9.0, 2.5  # decibels above the quiet where speech is as likely as not

    def __init__(self, frame: int) -> None:
        self._frame = frame
        self._rest = np.zeros(0, np.float32)
        self._past = np.zeros(0)

    def next(self, samples: Samples) -> Chances:
        """The chance of speech in each whole frame of what has come; the rest is kept."""
        held = np.concatenate([self._rest, samples])
        count = len(held) // self._frame
        frames = held[: count * self._frame].reshape(count, self._frame).astype(np.float64)
        self._rest = held[count * self._frame :]
        frames = frames - frames.mean(axis=1, keepdims=True)
        levels = 10 * np.log10(np.maximum(np.square(frames).mean(axis=1), 1e-12))
        quiet = np.empty(count)
        for at in range(0, count, self._KEPT):
            part = levels[at : at + self._KEPT]
            self._past = np.concatenate([self._past, part])[-self._KEPT :]
            floor = float(np.quantile(self._past, 0.1))
            quiet[at : at + self._KEPT] = (
                floor if len(self._past) >= self._FEW else min(floor, self._QUIET)
            )
        above = levels - np.maximum(quiet, self._LEAST)
        odds = np.exp((above - self._MIDDLE) / self._WIDTH)
        return np.asarray(odds / (1 + odds), np.float32)


def speech_spans(
    samples: Samples, rate: int, detector: Detector = ENERGY, activity: Activity = USUAL
) -> list[Span]:
    """Spans of samples (N,) in which somebody speaks, in order and without overlap."""
    sound = resampled(Sound(samples, rate), detector.rate)
    whole = -(-len(sound.samples) // detector.frame) * detector.frame
    padded = np.pad(sound.samples, (0, whole - len(sound.samples)))
    chances = detector.begin().next(padded)
    return spans_of(chances, detector.frame / detector.rate, sound.seconds, activity)


def spans_of(
    chances: Chances, frame_seconds: float, seconds: float, activity: Activity = USUAL
) -> list[Span]:
    """Spans of a sound of so many seconds by the chance of speech in each of its frames (F,)."""
    runs = _runs(chances, activity, max(round(activity.least_silence_seconds / frame_seconds), 1))
    least = activity.least_speech_seconds / frame_seconds
    longest = (activity.longest_seconds - 2 * activity.padding_seconds) / frame_seconds
    cut = [part for run in runs if run[1] - run[0] >= least for part in _cut(run, chances, longest)]
    spans: list[Span] = []
    for place, (start, end) in enumerate(cut):
        before = cut[place - 1][1] if place else -start  # its edge is shared with nobody
        behind = cut[place + 1][0] if place + 1 < len(cut) else 2 * len(chances) - end
        spans.append(
            Span(
                max(start * frame_seconds - _padding(activity, start - before, frame_seconds), 0),
                min(end * frame_seconds + _padding(activity, behind - end, frame_seconds), seconds),
            )
        )
    return spans


def _padding(activity: Activity, gap: int, frame_seconds: float) -> float:
    """Seconds kept outside a span: at most a half of the gap beside it."""
    return min(activity.padding_seconds, gap * frame_seconds / 2)


def _runs(chances: Chances, activity: Activity, silence: int) -> list[tuple[int, int]]:
    """Frames from a start to an end, which is where `silence` frames are below the end's chance."""
    runs: list[tuple[int, int]] = []
    speech = chances >= activity.start_chance
    quiet = chances < activity.end_chance
    at = 0
    while at < len(chances):
        ahead = np.flatnonzero(speech[at:])
        if not len(ahead):
            break
        start = at + int(ahead[0])
        end = len(chances)
        at = start
        while at < end:
            still = np.flatnonzero(quiet[at:])
            if not len(still):
                at = end
                break
            fall = at + int(still[0])
            again = np.flatnonzero(speech[fall : fall + silence])
            if not len(again):
                end = at = fall
                break
            at = fall + int(again[0])
        runs.append((start, end))
        at = min(end + 1, len(chances))
    return runs


def _cut(run: tuple[int, int], chances: Chances, longest: float) -> list[tuple[int, int]]:
    """Parts of a run that are not too long, cut where speech is least likely in their last half."""
    start, end = run
    parts = []
    while end - start > longest:
        reach = start + int(longest)
        middle = start + max(int(longest) // 2, 1)
        place = middle + int(np.argmin(chances[middle:reach])) if reach > middle else reach
        parts.append((start, max(place, start + 1)))
        start = parts[-1][1]
    return [*parts, (start, end)]
