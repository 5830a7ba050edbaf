"""What is said while something else is done: utterances of a sound, on a thread of its own."""

import queue
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Thread

from loquent.audio.activity import Activity, Detector, Span
from loquent.audio.sound import Sound
from loquent.audio.utterances import Utterances, utterances


@dataclass(frozen=True)
class Turn:
    """One utterance, and when it was over by the clock of `time.perf_counter`."""

    span: Span
    sound: Sound
    over_at: float


def turns(blocks: Iterable[Sound], detector: Detector, activity: Activity) -> Iterator[Turn]:
    """The utterances of a sound that waits while nobody asks for the next one, such as a file."""
    for span, sound in utterances(blocks, detector, activity):
        yield Turn(span, sound, time.perf_counter())


class Listening:
    """The utterances of a sound that does not wait, such as a microphone or a pipe."""

    def __init__(
        self,
        blocks: Iterable[Sound],
        detector: Detector,
        activity: Activity,
        *,
        begun: Callable[[], None],
        deaf: Callable[[], bool],
    ) -> None:
        """Begin; `begun` is called as soon as somebody speaks.

        What comes while `deaf` holds is dropped.
        """
        self._blocks, self._detector, self._activity = blocks, detector, activity
        self._begun, self._deaf = begun, deaf
        self._made: queue.SimpleQueue[Turn | Exception | None] = queue.SimpleQueue()
        self._speaking = False
        Thread(target=self._listen, daemon=True, name="listening").start()

    @property
    def pressing(self) -> bool:
        """Whether somebody is speaking, or has spoken and was not asked for yet."""
        return self._speaking or not self._made.empty()

    def __iter__(self) -> Iterator[Turn]:
        """Each as it is over, until the sound ends; raises what went wrong with it."""
        while (made := self._made.get()) is not None:
            if isinstance(made, Exception):
                raise made
            yield made

    def _listen(self) -> None:
        try:
            heard = Utterances(self._detector, self._activity)
            for block in self._blocks:
                if self._deaf():
                    heard = Utterances(self._detector, self._activity)
                    continue
                self._put(heard.next(block.samples))
                if heard.speaking and not self._speaking:
                    self._speaking = True
                    self._begun()
                self._speaking = heard.speaking
            self._put(heard.finish())
        except Exception as fault:  # told to whoever asks for the next
            self._made.put(fault)
        finally:
            self._speaking = False
            self._made.put(None)

    def _put(self, found: Iterable[tuple[Span, Sound]]) -> None:
        for span, sound in found:
            self._made.put(Turn(span, sound, time.perf_counter()))
