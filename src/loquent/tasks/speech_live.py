"""What is said while it is said: a text that settles when the speaker pauses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from loquent.audio.activity import ENERGY, Detector
from loquent.audio.reading import RATE
from loquent.audio.sound import Samples, Sound
from loquent.lm.lm import LM
from loquent.tasks.speech_decoding import Decoder, Hearing
from loquent.tasks.speech_windows import Window
from loquent.tasks.transcribing import heard_of
from loquent.text.segments import Segment

_SPEECH, _SILENCE = 0.5, 0.35  # chances of speech from which on it begins, and below which it ends
_BEFORE_SECONDS = 0.4  # kept before speech begins
_BEHIND_SECONDS = 0.3  # heard behind its end
_SHARE = 3  # of the time between two texts that may still change, one part is spent on them
_LEAST_SECONDS = 0.2  # of speech; shorter noises are no words


@dataclass(frozen=True)
class Update:
    """News of a live text."""

    segments: tuple[Segment, ...]
    settled: bool  # False: the next update replaces it
    seconds: float  # of the sound that have come so far

    @property
    def text(self) -> str:
        """What was said."""
        return "".join(each.text for each in self.segments).strip()


class Live:
    """Writes down a sound that is still being made."""

    def __init__(
        self,
        lm: LM,
        hearing: Hearing | None = None,
        *,
        detector: Detector = ENERGY,
        pause_seconds: float = 0.5,
        refresh_seconds: float = 1.0,
        longest_seconds: float = 20.0,
    ) -> None:
        """A text settles behind a pause, or where it would become too long.

        Until then it is told anew every `refresh_seconds` (0: never), or less often where the
        machine is slow: a third of the time at most goes into what may still change.
        """
        hearing = hearing or Hearing()
        quick = replace(hearing, words=False, temperatures=hearing.temperatures[:1])
        self._lm, self._hearing = lm, hearing
        self._decoder = Decoder(lm, hearing)
        self._quick = Decoder(lm, quick, hasty=True)
        self._ear, self._frame = detector.begin(), detector.frame
        self._pause, self._refresh = round(pause_seconds * RATE), round(refresh_seconds * RATE)
        self._longest = round(longest_seconds * RATE)
        self._held = np.zeros(0, np.float32)
        self._chances = np.zeros(0, np.float32)
        self._start = 0  # sample of the sound at which what is held begins
        self._told = 0  # samples of the sound that had come when it was last told
        self._slow = 0  # samples of the time that telling it took

    def follow(self, blocks: Iterable[Sound]) -> Iterator[Update]:
        """News as blocks of a sound come, and the last when they end."""
        for block in blocks:
            yield from self.push(block.samples)
        yield from self.finish()

    def push(self, samples: Samples) -> Iterator[Update]:
        """Take the next samples (N,) at 16 kHz."""
        self._held = np.concatenate([self._held, samples])
        self._chances = np.concatenate([self._chances, self._ear.next(samples)])
        begin, end = self._speech()
        if begin is None:
            self._forget(len(self._held) - round(_BEFORE_SECONDS * RATE))
        elif len(self._held) - end >= self._pause:
            yield from self._settle(
                begin, min(end + round(_BEHIND_SECONDS * RATE), len(self._held))
            )
        elif len(self._held) - begin >= self._longest:
            yield from self._settle(begin, self._quietest(begin))
        elif self._refresh and self._since() >= max(self._refresh, _SHARE * self._slow):
            started = perf_counter()
            made = self._update(self._quick, begin, len(self._held), settled=False)
            self._slow = round((perf_counter() - started) * RATE)
            yield made

    def finish(self) -> Iterator[Update]:
        """What was said last, wherever the sound has ended."""
        begin, _ = self._speech()
        if begin is not None:
            yield from self._settle(begin, len(self._held))

    def _since(self) -> int:
        """Samples that have come since it was last told."""
        return self._start + len(self._held) - self._told

    def _speech(self) -> tuple[int | None, int]:
        """Where speech begins in what is held, None where there is none, and where it has ended."""
        speech = np.flatnonzero(self._chances >= _SPEECH)
        if len(speech) * self._frame < _LEAST_SECONDS * RATE:
            return None, 0
        begin = max(int(speech[0]) * self._frame - round(_BEFORE_SECONDS * RATE), 0)
        loud = np.flatnonzero(self._chances >= _SILENCE)
        return begin, min((int(loud[-1]) + 1) * self._frame, len(self._held))

    def _quietest(self, begin: int) -> int:
        """Where to cut what has gone on for too long: the least speech in its last half."""
        middle = (begin + len(self._held)) // 2 // self._frame
        place = middle + int(np.argmin(self._chances[middle:]))
        return max(place * self._frame, begin + self._frame)

    def _settle(self, begin: int, end: int) -> Iterator[Update]:
        made = self._update(self._decoder, begin, end, settled=True)
        self._forget(end)
        if made.segments:
            yield made

    def _update(self, decoder: Decoder, begin: int, end: int, *, settled: bool) -> Update:
        self._told = self._start + len(self._held)
        window = Window((self._start + begin) / RATE, self._held[begin:end])
        segments: tuple[Segment, ...] = ()
        for made in decoder.decode(iter([window])):
            segments += heard_of(self._lm, decoder, self._hearing, made).segments
        return Update(segments, settled, self._told / RATE)

    def _forget(self, samples: int) -> None:
        """Drop what was settled, in whole frames."""
        frames = max(samples, 0) // self._frame
        self._held = self._held[frames * self._frame :]
        self._chances = self._chances[frames:]
        self._start += frames * self._frame
