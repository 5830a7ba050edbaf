"""Sentences said one behind the other while the next are still written, until it is to stop."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event, Thread

from loquent.audio.loudspeaker import Sink
from loquent.audio.sound import Samples
from loquent.voices.silence import silence
from loquent.voices.speaking import PAUSE_SECONDS, ending, stream
from loquent.voices.voice import Manner, Voice

_CHUNK_SECONDS = 0.1  # after each of which it may stop
_AHEAD_SECONDS = 0.3  # of sound that a player has and has not played yet


@dataclass(frozen=True)
class SaidAloud:
    """A sentence that was said, at least its beginning."""

    text: str
    seconds: float  # of its sound; less where it was stopped
    skipped: tuple[str, ...]  # what the voice cannot say
    guessed: tuple[str, ...]  # words that no dictionary has
    whole: bool


class _Stopped(Exception):  # noqa: N818  no error
    pass


class Aloud:
    """Says one answer, on a thread of its own."""

    def __init__(
        self,
        voice: Voice,
        opened: Callable[[], AbstractContextManager[Sink]],
        *,
        stopped: Event,
        told: Callable[[SaidAloud], None],
        manner: Manner | None = None,
        paced: bool = False,
    ) -> None:
        """`opened` gives what takes the sound; nothing is opened for an answer without words.

        Between two tenths of a second it looks whether `stopped` is set. `told` is called from the
        thread, behind each sentence. `paced`: it is given no faster than it is heard.
        """
        self._voice, self._opened, self._stopped, self._told = voice, opened, stopped, told
        self._manner, self._paced = manner or Manner(), paced
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._fault: BaseException | None = None
        self._written = 0  # samples
        self._sentence = 0  # of these, those of the sentence that is being said
        self.first_at: float | None = None  # when the first sound was given out, by perf_counter
        self.cut = False  # whether it was stopped before all was said
        self._thread = Thread(target=self._run, daemon=True, name="aloud")
        self._thread.start()

    def say(self, sentence: str) -> None:
        """Say it behind those before."""
        self._waiting.put(sentence)

    def finish(self) -> None:
        """Wait until all is said or it is stopped; raises what went wrong."""
        self._waiting.put(None)
        self._thread.join()
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            first = self._next()
            if first is None:
                return
            with self._opened() as sink:
                try:
                    self._say_all(sink, first)
                except _Stopped:
                    self.cut = True
                    sink.drop()
        except _Stopped:
            self.cut = True
        except Exception as fault:  # told by `finish`
            self._fault = fault
            self._stopped.set()

    def _say_all(self, sink: Sink, first: str) -> None:
        self._say(sink, first, early=True)
        while (sentence := self._next()) is not None:
            self._write(sink, silence(PAUSE_SECONDS, self._voice.rate))
            self._say(sink, sentence, early=False)
        self._write(sink, ending(self._voice))
        self._wait(0.0)

    def _next(self) -> str | None:
        """The next sentence with something to say; None at the end."""
        while (found := self._waiting.get()) is not None:
            if self._stopped.is_set():
                raise _Stopped
            if any(each.isalnum() for each in found):
                return found
        return None

    def _say(self, sink: Sink, sentence: str, *, early: bool) -> None:
        skipped, guessed = list[str](), list[str]()
        self._sentence, whole = 0, False
        try:
            for piece in stream(
                self._voice, sentence, manner=self._manner, skip_unknown=True, early=early
            ):
                skipped += piece.skipped
                guessed += piece.guessed
                self._write(sink, piece.samples)
            whole = True
        finally:
            seconds = self._sentence / self._voice.rate
            if whole or seconds:
                self._told(SaidAloud(sentence, seconds, tuple(skipped), tuple(guessed), whole))

    def _write(self, sink: Sink, samples: Samples) -> None:
        for chunk in _chunks(samples, round(_CHUNK_SECONDS * self._voice.rate)):
            if self._stopped.is_set():
                raise _Stopped
            self._wait(_AHEAD_SECONDS)
            sink.write(chunk)
            if self.first_at is None:
                self.first_at = time.perf_counter()
            self._written += len(chunk)
            self._sentence += len(chunk)

    def _wait(self, ahead_seconds: float) -> None:
        """Until no more than so much of what was given is still to be heard."""
        if not self._paced or self.first_at is None:
            return
        heard_at = self.first_at + self._written / self._voice.rate
        left = heard_at - ahead_seconds - time.perf_counter()
        if left > 0 and self._stopped.wait(left):
            raise _Stopped


def _chunks(samples: Samples, size: int) -> Iterator[Samples]:
    for at in range(0, len(samples), size):
        yield samples[at : at + size]
