"""Answers as they are written: the engine's events become pieces of text."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Protocol

from loquent.engine.request import Choice, Event, Finish, Request
from loquent.errors import UserError
from loquent.lm.answer import Answer
from loquent.text.tokenizer import Tokenizer


class Follower(Protocol):
    """Who is told what comes of a request."""

    @property
    def request(self) -> Request:
        """What was asked."""

    @property
    def done(self) -> bool:
        """Whether all answers are complete."""

    def take(self, event: Event) -> None:
        """Note one event of the engine about this request."""

    def cancel(self) -> None:
        """Stop here."""


class Source(Protocol):
    """Who writes the answers: all that a stream asks of a language model."""

    def advance(self, stream: "Stream") -> None:
        """Go on until there is news for this stream, or for others on the way."""

    def end(self, request: Request, index: int) -> None:
        """One answer is complete as it stands."""

    def cancel(self, stream: "Stream") -> None:
        """Nobody waits for the rest of these answers."""


class Written:
    """One answer in the making."""

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str]) -> None:
        self.text = tokenizer.stream(stops)
        self.pieces: list[str] = []
        self.choices: list[Choice] = []
        self.finish: Finish | None = None
        self.error: UserError | None = None
        self.first: float | None = None  # when the first token came, in seconds of perf_counter
        self.last: float | None = None
        self.shared = self.drafted = self.accepted = 0  # tokens, as `Answer` has them

    def take(self, event: Event, ends: frozenset[int]) -> None:
        """Note one event; sets `finish` where the answer is complete."""
        choice, now = event.choice, perf_counter()
        self.last, self.error = now, event.error
        self.shared += event.shared
        self.drafted += event.drafted
        self.accepted += event.accepted
        piece = ""
        if choice is not None and not (event.finish == "stop" and choice.id in ends):
            self.first = self.first or now
            self.choices.append(choice)
            piece = self.text.push(choice.id)
        self.finish = "stop" if self.text.stopped else event.finish
        if self.finish:
            piece += self.text.finish()
        if piece:
            self.pieces.append(piece)


class Stream(Iterator[str]):
    """The pieces of an answer; with n > 1 those of the first, the others are in `answer`.

    Raises RequestError where the network failed at this request.
    """

    def __init__(
        self,
        source: Source,
        request: Request,
        tokenizer: Tokenizer,
        stops: Sequence[str],
        dropped_tokens: int,
    ) -> None:
        self.request = request
        self._source = source
        self._dropped = dropped_tokens
        self._written = [Written(tokenizer, stops) for _ in range(request.sampling.n)]
        self._given = 0  # pieces of the first answer that were given out
        self._start = perf_counter()

    def __next__(self) -> str:
        """The next piece; raises StopIteration when all answers are complete."""
        pieces = self._written[0].pieces
        while self._given >= len(pieces):
            if self.done:
                self._check()
                raise StopIteration
            self._source.advance(self)
        self._given += 1
        return pieces[self._given - 1]

    @property
    def done(self) -> bool:
        """Whether all answers are complete."""
        return all(each.finish for each in self._written)

    def finished(self) -> Answer:
        """Wait for the end and return the whole answer."""
        while not self.done:
            self._source.advance(self)
        self._check()
        return self.answer

    def cancel(self) -> None:
        """Stop here; what was written stays in `answer`, whose finish is then "cancelled"."""
        if not self.done:
            self._source.cancel(self)
            for each in self._written:
                each.finish = each.finish or "cancelled"

    @property
    def answer(self) -> Answer:
        """The answer as it stands."""
        first, *others = (self._answer(each) for each in self._written)
        return replace(first, others=tuple(others))

    def take(self, event: Event) -> None:
        """Note one event of the engine about this request."""
        written = self._written[event.index]
        if written.finish is None:
            written.take(event, self.request.stop)
            if written.finish == "stop" and event.finish is None:
                self._source.end(self.request, event.index)  # at a stop string, not an end token

    def _check(self) -> None:
        for each in self._written:
            if each.error is not None:
                raise each.error

    def _answer(self, written: Written) -> Answer:
        sampling, start = self.request.sampling, self._start
        source = self.request.source
        return Answer(
            text="".join(written.pieces),
            ids=[choice.id for choice in written.choices],
            finish=written.finish or "cancelled",
            logprobs=list(written.choices) if sampling.logprobs is not None else None,
            prompt_tokens=len(self.request.ids if source is None else source),
            dropped_tokens=self._dropped,
            seconds=(written.last or start) - start,
            first_seconds=(written.first or written.last or start) - start,
            seed=sampling.seed or 0,
            shared_tokens=written.shared,
            drafted_tokens=written.drafted,
            accepted_tokens=written.accepted,
        )
