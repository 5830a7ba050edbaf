"""A spoken dialog: what was said is written down, a model answers, and the answer is said aloud."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event, Lock

from loquent.audio.activity import Activity
from loquent.audio.listening import Turn
from loquent.audio.loudspeaker import Sink
from loquent.engine.request import Sampling
from loquent.errors import RequestError
from loquent.lm.answer import Answer
from loquent.lm.lm import LM
from loquent.tasks.speech_settings import Hearing
from loquent.tasks.transcribing import transcribe
from loquent.text.encoding import Truncate
from loquent.text.sentences import sentences
from loquent.voices.aloud import Aloud, SaidAloud
from loquent.voices.voice import Manner, Voice

SYSTEM = (
    "You are talking with somebody by voice. Answer in one or two short sentences of plain words, "
    "without lists, signs and code."
)
PAUSE_SECONDS = 0.7  # of silence behind which somebody is answered
_LONGEST_SECONDS = 300.0  # of one turn
USUAL = Manner()


def manners(pause_seconds: float = PAUSE_SECONDS) -> Activity:
    """When somebody speaks, and when that is over."""
    return Activity(
        least_speech_seconds=0.25,
        least_silence_seconds=pause_seconds,
        padding_seconds=0.3,
        longest_seconds=_LONGEST_SECONDS,
    )


@dataclass(frozen=True)
class Heard:
    """What somebody said; "" where no words were understood, which is not answered."""

    turn: int
    text: str
    language: str
    start_seconds: float  # of the whole sound
    end_seconds: float
    took_seconds: float  # to write it down


@dataclass(frozen=True)
class Wrote:
    """The next piece of an answer's text."""

    turn: int
    text: str


@dataclass(frozen=True)
class Said:
    """A sentence of an answer that was said aloud."""

    turn: int
    said: SaidAloud


@dataclass(frozen=True)
class Answered:
    """The end of an answer."""

    turn: int
    text: str  # of an interrupted one what was said of it
    interrupted: bool
    first_sound_seconds: float | None  # behind the end of the pause; None where nothing was said
    answer: Answer | None  # as it was written; None where it was interrupted before it began


News = Heard | Wrote | Said | Answered


@dataclass(frozen=True, kw_only=True)
class Mouth:
    """Who says answers, and where to."""

    voice: Voice
    opened: Callable[[int], AbstractContextManager[Sink]]  # what takes the sound of a turn's answer
    manner: Manner = USUAL
    paced: bool = False  # no faster than it is heard


class Dialog:
    """Turns of somebody who speaks, each answered; what was said before is remembered."""

    def __init__(
        self,
        ear: LM,
        lm: LM,
        *,
        tell: Callable[[News], None],
        mouth: Mouth | None = None,
        hearing: Hearing | None = None,
        sampling: Sampling | None = None,
        system: str = SYSTEM,
        stop: Sequence[str] = (),
        truncate: Truncate | None = "left",
    ) -> None:
        """`tell` is called with what happens, from one thread at a time; no mouth: text alone."""
        self._ear, self._lm, self._mouth = ear, lm, mouth
        self._hearing, self._sampling = hearing or Hearing(), sampling
        self._stop, self._truncate = stop, truncate
        self._tell_now, self._telling = tell, Lock()
        self._stopped: Event | None = None  # of the answer that is under way
        self._turn = 0
        self.messages = [{"role": "system", "content": system}] if system else []

    @property
    def answering(self) -> bool:
        """Whether an answer is under way."""
        return self._stopped is not None

    def interrupt(self) -> None:
        """Stop the answer that is under way; may be called from any thread and any time."""
        stopped = self._stopped
        if stopped is not None:
            stopped.set()

    def take(self, turn: Turn, pressing: Callable[[], bool] = lambda: False) -> None:
        """Write down what was said and answer it, unless somebody is `pressing` to go on.

        What was interrupted before a word of the answer was said belongs to the next turn. Raises
        RequestError for a conversation that is too long, and as the sink does.
        """
        stopped = self._stopped = Event()
        if pressing():
            stopped.set()
        try:
            self._turn += 1
            text = self._written_down(turn)
            if text:
                self._remember_heard(text)
                self._answer(turn, stopped)
        finally:
            self._stopped = None

    def _written_down(self, turn: Turn) -> str:
        started = time.perf_counter()
        made = transcribe(self._ear, turn.sound, self._hearing)
        took, span = time.perf_counter() - started, turn.span
        told = Heard(
            self._turn, made.text, made.language, span.start_seconds, span.end_seconds, took
        )
        self._tell(told)
        return made.text

    def _remember_heard(self, text: str) -> None:
        last = self.messages[-1] if self.messages else {"role": ""}
        if last["role"] == "user":
            self.messages[-1] = {"role": "user", "content": f"{last['content']} {text}"}
        else:
            self.messages.append({"role": "user", "content": text})

    def _answer(self, turn: Turn, stopped: Event) -> None:
        number, said = self._turn, list[SaidAloud]()
        if stopped.is_set():
            self._tell(Answered(number, "", True, None, None))
            return

        def told(each: SaidAloud) -> None:
            said.append(each)
            self._tell(Said(number, each))

        aloud = None
        if self._mouth is not None:
            opened = self._mouth.opened
            aloud = Aloud(
                self._mouth.voice,
                lambda: opened(number),
                stopped=stopped,
                told=told,
                manner=self._mouth.manner,
                paced=self._mouth.paced,
            )
        try:
            answer = self._write(aloud, stopped)
        except RequestError:
            self.messages.pop()
            raise
        finally:
            if aloud is not None:
                aloud.finish()
        cut = aloud is not None and aloud.cut
        interrupted = cut or answer.finish == "cancelled"
        text = answer.text.strip()
        if interrupted and aloud is not None:
            text = " ".join(each.text for each in said)
        if text:
            self.messages.append({"role": "assistant", "content": text})
        first = aloud.first_at - turn.over_at if aloud is not None and aloud.first_at else None
        self._tell(Answered(number, text, interrupted, first, answer))

    def _write(self, aloud: Aloud | None, stopped: Event) -> Answer:
        """The answer, each of its sentences said as soon as the next one begins."""
        stream = self._lm.stream(
            self.messages, self._sampling, stop=self._stop, truncate=self._truncate
        )
        found = Sentences()
        try:
            for piece in stream:
                self._tell(Wrote(self._turn, piece))
                if stopped.is_set():
                    break
                for sentence in found.take(piece):
                    if aloud is not None:
                        aloud.say(sentence)
        finally:
            stream.cancel()
        if aloud is not None and not stopped.is_set():
            for sentence in found.rest():
                aloud.say(sentence)
        return stream.answer

    def _tell(self, news: News) -> None:
        with self._telling:
            self._tell_now(news)


class Sentences:
    """A text that comes in pieces, and its sentences as soon as they are sure to be over."""

    def __init__(self) -> None:
        self._left = ""

    def take(self, piece: str) -> list[str]:
        """What is over: behind it a whole word stands already."""
        self._left += piece
        spans = sentences(self._left)
        while spans and len(self._left[spans[-1].start :].split()) < 2:
            spans.pop()
        if len(spans) < 2:
            return []
        made = [span.of(self._left) for span in spans[:-1]]
        self._left = self._left[spans[-1].start :]
        return made

    def rest(self) -> list[str]:
        """What is left at the end."""
        made = [span.of(self._left) for span in sentences(self._left)]
        self._left = ""
        return made
