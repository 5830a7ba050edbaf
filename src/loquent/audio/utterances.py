"""What is said, piece by piece, while a sound still goes on: each from its start to its end."""

from collections.abc import Iterable, Iterator

import numpy as np

from loquent.audio.activity import USUAL, Activity, Detector, Span
from loquent.audio.sound import Samples, Sound


def utterances(
    blocks: Iterable[Sound], detector: Detector, activity: Activity = USUAL
) -> Iterator[tuple[Span, Sound]]:
    """Each span of speech with its samples, as soon as it is over; memory is that of one span.

    Blocks are at the detector's rate. It is over when `least_silence_seconds` have been silent,
    when it has become `longest_seconds` long, or when the sound ends.
    """
    heard = Utterances(detector, activity)
    for block in blocks:
        yield from heard.next(block.samples)
    yield from heard.finish()


class Utterances:
    """The same for sound that is given block by block: it knows also when somebody is speaking."""

    def __init__(self, detector: Detector, activity: Activity = USUAL) -> None:
        self._detector, self._activity = detector, activity
        self._hearing = detector.begin()
        self._frame, self._rate = detector.frame, detector.rate
        seconds = self._frame / self._rate
        self._pad = round(activity.padding_seconds / seconds)
        self._least = activity.least_speech_seconds / seconds
        self._silence = max(round(activity.least_silence_seconds / seconds), 1)
        self._longest = activity.longest_seconds / seconds
        self._kept = np.zeros(0, np.float32)  # from frame `_first` on
        self._first = 0
        self._told = 0  # frames whose chance is known
        self._start: int | None = None  # frame with which speech began
        self._last = 0  # frame behind the last one that was speech

    @property
    def speaking(self) -> bool:
        """Whether something is being said that is long enough to count, and is not over yet."""
        return self._start is not None and self._last - self._start >= self._least

    def next(self, samples: Samples) -> Iterator[tuple[Span, Sound]]:
        """What is over with these samples."""
        self._kept = np.concatenate([self._kept, samples])
        for chance in self._hearing.next(samples):
            yield from self._take(float(chance))
        if self._start is None:  # nothing but what would stand before speech is needed
            self._drop(self._told - self._pad - 1)

    def finish(self) -> Iterator[tuple[Span, Sound]]:
        """What is over as the sound ends."""
        if self._start is not None:
            yield from self._over(self._told if self._last >= self._told - 1 else self._last)

    def _take(self, chance: float) -> Iterator[tuple[Span, Sound]]:
        at = self._told
        self._told += 1
        if self._start is None:
            if chance < self._activity.start_chance:
                return
            self._start = at
            self._last = at + 1
        elif chance >= self._activity.end_chance:
            self._last = at + 1
        if self._told - self._last >= self._silence or self._told - self._start >= self._longest:
            yield from self._over(self._last)

    def _over(self, end: int) -> Iterator[tuple[Span, Sound]]:
        assert self._start is not None
        start, self._start = self._start, None
        if end - start >= self._least:
            first = max(start - self._pad, self._first)
            last = min(end + self._pad, self._first + -(-len(self._kept) // self._frame))
            offset = self._first * self._frame
            samples = self._kept[first * self._frame - offset : last * self._frame - offset]
            begun = first * self._frame / self._rate
            span = Span(begun, begun + len(samples) / self._rate)
            yield span, Sound(samples.copy(), self._rate)
        self._drop(end)

    def _drop(self, before: int) -> None:
        """Forget the samples before a frame."""
        count = max(before - self._first, 0)
        self._kept = self._kept[count * self._frame :]
        self._first += count
