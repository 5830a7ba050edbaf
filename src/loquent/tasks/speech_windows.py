"""A sound of any length cut where nobody speaks, into windows that a recognizer hears at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from loquent.audio.activity import (
    ENERGY,
    Activity,
    Detector,
    Span,
    spans_of,
    speech_spans,
)
from loquent.audio.reading import RATE
from loquent.audio.sound import Samples, Sound
from loquent.errors import DataError

WINDOW_SECONDS = 30.0  # what a recognizer was trained to hear
_PADDING_SECONDS = 0.4  # kept around what is said, so that no word loses its edges
_LONGEST_GAP_SECONDS = 2.0  # of silence inside a window
_HELD_SECONDS = 90.0  # that are looked at together; longer sounds are cut as they come
_KEPT_SECONDS = 1.0  # of silence that stay, since a word may begin in them

SPEECH = Activity(
    least_speech_seconds=0.2,
    least_silence_seconds=0.3,
    padding_seconds=_PADDING_SECONDS,
    longest_seconds=WINDOW_SECONDS,
)
_LOUD = Activity(least_speech_seconds=0.05)


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a sound, up to 30 s of it."""

    start_seconds: float
    samples: Samples  # (N,) at 16 kHz
    speech: tuple[Span, ...] = ()  # in seconds of the whole sound
    sound: int = 0  # which of several sounds it is of
    again: bool = False  # what a recognizer left over of another window

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE

    @property
    def end_seconds(self) -> float:
        """Where it ends."""
        return self.start_seconds + self.seconds

    def rest(self, start_seconds: float) -> "Window":
        """What of it comes behind a time."""
        dropped = max(round((start_seconds - self.start_seconds) * RATE), 0)
        later = tuple(each for each in self.speech if each.end_seconds > start_seconds)
        start = self.start_seconds + dropped / RATE
        samples = self.samples[dropped:]
        return replace(self, start_seconds=start, samples=samples, speech=later, again=True)

    def speech_seconds(self, start_seconds: float) -> float:
        """How much is said in it behind a time, silence around it included."""
        spans = self.speech or (Span(self.start_seconds, self.end_seconds),)
        return sum(
            max(each.end_seconds - max(each.start_seconds, start_seconds), 0) for each in spans
        )


class Cutter:
    """Cuts a sound into windows while it comes."""

    def __init__(
        self,
        detector: Detector | None,
        activity: Activity = SPEECH,
        *,
        whole_seconds: float = 0.0,
    ) -> None:
        """Without a detector all of it counts as speech, and is cut where it is quiet.

        A sound of `whole_seconds` or less in which no speech is found is one window all the same,
        where anything of it is loud.
        """
        self._all, detector = detector is None, detector or ENERGY
        if detector.rate != RATE:
            raise DataError(f"a detector of {detector.rate} samples a second is of no use here.")
        self._frame, self._hearing = detector.frame, detector.begin()
        self._activity, self._whole = activity, whole_seconds
        self._held = np.zeros(0, np.float32)
        self._chances = np.zeros(0, np.float32)
        self._start = 0  # sample of the sound at which what is held begins

    @property
    def seconds(self) -> float:
        """How much has come so far."""
        return (self._start + len(self._held)) / RATE

    def push(self, samples: Samples) -> list[Window]:
        """Take the next samples (N,) at 16 kHz; gives the windows that nothing can change."""
        self._take(samples)
        return self._windows(last=False) if len(self._held) >= _HELD_SECONDS * RATE else []

    def finish(self) -> list[Window]:
        """The windows of what is left."""
        short = -len(self._held) % self._frame
        if short:  # the last frame is filled with silence
            self._hear(np.zeros(short, np.float32))
        whole = self._held.copy() if self.seconds <= self._whole else self._held[:0]
        made = self._windows(last=True)
        if not made and speech_spans(whole, RATE, ENERGY, _LOUD):
            made = [Window(0.0, whole)]
        return made

    def _take(self, samples: Samples) -> None:
        self._held = np.concatenate([self._held, samples])
        self._hear(samples)

    def _hear(self, samples: Samples) -> None:
        chances = self._hearing.next(samples)
        if self._all:
            chances = np.asarray((1 + chances) / 2, np.float32)
        self._chances = np.concatenate([self._chances, chances])

    def _windows(self, *, last: bool) -> list[Window]:
        frame_seconds = self._frame / RATE
        held_seconds = len(self._held) / RATE
        spans = spans_of(self._chances, frame_seconds, held_seconds, self._activity)
        groups = list(_groups(spans))
        ended = not groups or held_seconds - groups[-1][-1].end_seconds > _LONGEST_GAP_SECONDS
        settled = groups if last or ended else groups[:-1]
        made = [self._window(group) for group in settled]
        if last:
            self._drop(len(self._held))
        elif settled != groups:
            self._drop(round(groups[-1][0].start_seconds * RATE))
        else:
            self._drop(len(self._held) - round(_KEPT_SECONDS * RATE))
        return made

    def _window(self, group: list[Span]) -> Window:
        start = round(group[0].start_seconds * RATE)
        end = min(round(group[-1].end_seconds * RATE), start + round(WINDOW_SECONDS * RATE))
        offset = self._start / RATE
        speech = (Span(offset + a.start_seconds, offset + a.end_seconds) for a in group)
        return Window((self._start + start) / RATE, self._held[start:end].copy(), tuple(speech))

    def _drop(self, samples: int) -> None:
        """Forget what was cut off, in whole frames."""
        frames = max(samples, 0) // self._frame
        self._held = self._held[frames * self._frame :]
        self._chances = self._chances[frames:]
        self._start += frames * self._frame


def _groups(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Neighbors that fit into one window together."""
    group: list[Span] = []
    for span in spans:
        if group and (
            span.end_seconds - group[0].start_seconds > WINDOW_SECONDS
            or span.start_seconds - group[-1].end_seconds > _LONGEST_GAP_SECONDS
        ):
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def windows(
    blocks: Iterable[Sound],
    detector: Detector | None,
    activity: Activity = SPEECH,
    *,
    whole_seconds: float = 0.0,
) -> Iterator[Window]:
    """The windows of a sound that comes in blocks; memory is flat, however long it is."""
    cutter = Cutter(detector, activity, whole_seconds=whole_seconds)
    for block in blocks:
        if block.rate != RATE:
            raise DataError(f"blocks have {block.rate} samples a second, not {RATE}.")
        yield from cutter.push(block.samples)
    yield from cutter.finish()
