"""How a request's answers grow: each by itself with sampling, or together with beam search."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol

from loquent.engine.beam import BeamSearch
from loquent.engine.network import Logits
from loquent.engine.request import Event, Finish
from loquent.engine.rules import ruled
from loquent.engine.sampling import choose, describe, generator, penalized, watched
from loquent.engine.scheduler import Job, Line, Part

Moves = list[tuple[int, int]]  # (row, the row from which it continues)


class Writer(Protocol):
    """Turns the logits of a job's lines into their next tokens."""

    def advance(self, logits: Logits, parts: Sequence[Part]) -> tuple[list[Event], Moves]:
        """Take logits (N, V) of the lines' parts, at first (1, V) of the prompt.

        Brings `job.lines` up to date: those that ended are no longer there. Raises RequestError for
        impossible logits.
        """

    def read(self, row: int) -> list[int] | None:
        """What a row has read of its answer behind the prompt; None where that is not known."""

    def unfinished(self) -> list[int]:
        """Which answers have not been told to their end."""

    def answer(self, index: int) -> tuple[int, list[int]]:
        """A finished answer's row, which still sees the source, and what was written."""


class Samples:
    """Answers that are drawn independently, each from random numbers of its own."""

    def __init__(self, job: Job) -> None:
        sampling, self._job = job.request.sampling, job
        self._random = [generator(sampling.seed or 0, index) for index in range(sampling.n)]
        self._written: list[Counter[int]] = [Counter() for _ in range(sampling.n)]
        self._index: dict[Line, int] = {}

    def advance(self, logits: Logits, parts: Sequence[Part]) -> tuple[list[Event], Moves]:
        """As the protocol says."""
        job, moves = self._job, []
        guesses = [part.ids[1:] for part in parts]
        if not self._index:
            self._index = {Line(row): index for index, row in enumerate(job.rows)}
            job.lines = list(self._index)
            moves = [(line.row, job.rows[0]) for line in job.lines[1:]]
            logits, guesses = logits.repeat(len(job.lines), axis=0), [[] for _ in job.lines]
        events, going, rows = [], [], iter(logits)
        for line, guess in zip(job.lines, guesses, strict=True):
            made = self._follow(line, list(islice(rows, len(guess) + 1)), guess)
            events += made
            if made[-1].finish is None:
                going.append(line)
        job.lines = going
        return events, moves

    def unfinished(self) -> list[int]:
        """As the protocol says."""
        return [self._index[line] for line in self._job.lines]

    def line(self, index: int) -> Line | None:
        """The line that writes an answer, while it does."""
        return next((line for line in self._job.lines if self._index[line] == index), None)

    def read(self, row: int) -> list[int] | None:
        """As the protocol says: all but the last token."""
        return next((line.ids[:-1] for line in self._index if line.row == row), None)

    def _follow(self, line: Line, logits: Sequence[Logits], guess: list[int]) -> list[Event]:
        """Tokens as long as they were guessed, and one more."""
        events: list[Event] = []
        for place, each in enumerate(logits):
            event = self._extend(line, each)
            right = (
                place < len(guess)
                and event.choice is not None
                and (event.choice.id == guess[place])
            )
            events.append(replace(event, drafted=0 if place else len(guess), accepted=int(right)))
            if event.finish or not right:
                break
        return events

    def _extend(self, line: Line, logits: Logits) -> Event:
        request, index = self._job.request, self._index[line]
        sampling, written = request.sampling, self._written[index]
        weighed = penalized(logits, sampling, request.ids, written)
        allowed = ruled(weighed, request, line.ids, self._job.max_tokens)
        token = choose(allowed, sampling, self._random[index])
        line.ids.append(token)
        written[token] += 1
        finish: Finish | None = None
        if token in request.ends:
            finish = "stop"
        elif len(line.ids) == self._job.max_tokens:
            finish = "length"
        told = describe(allowed if sampling.renormalize else logits, token, sampling.logprobs)
        seen = watched(logits, request.watched) if len(line.ids) == 1 else ()
        return Event(request, index, told, finish, watched=seen)

    def answer(self, index: int) -> tuple[int, list[int]]:
        """As the protocol says."""
        return next((each.row, each.ids) for each, own in self._index.items() if own == index)


class Beams:
    """Answers of one search; they are told when it is over, the best first."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._search = BeamSearch(job.request, job.max_tokens)
        self._watched: tuple[float, ...] = ()

    def advance(self, logits: Logits, parts: Sequence[Part]) -> tuple[list[Event], Moves]:
        """As the protocol says."""
        job = self._job
        before = [line.row for line in job.lines] or job.rows[:1]
        if not job.lines:
            self._watched = watched(logits[0], job.request.watched)
        origins = self._search.advance(logits)
        if self._search.done:
            job.lines = []
            return self._answers(), []
        rows = job.rows[: len(origins)]
        job.lines = [
            Line(row, beam.ids) for row, beam in zip(rows, self._search.beams, strict=True)
        ]
        return [], [(row, before[origin]) for row, origin in zip(rows, origins, strict=True)]

    def unfinished(self) -> list[int]:
        """As the protocol says: all, until the search is over."""
        return list(range(self._job.request.sampling.n))

    def answer(self, index: int) -> tuple[int, list[int]]:
        """As the protocol says."""
        return self._job.rows[0], [each.id for each in self._search.finished[index].choices]

    def line(self, index: int) -> Line | None:
        """No answer has a line of its own."""
        return None

    def read(self, row: int) -> list[int] | None:
        """As the protocol says: rows are handed on between beams."""
        return None

    def _answers(self) -> list[Event]:
        request = self._job.request
        return [
            Event(
                request,
                index,
                choice,
                found.finish if place == len(found.choices) - 1 else None,
                watched=() if place else self._watched,
            )
            for index, found in enumerate(self._search.finished[: request.sampling.n])
            for place, choice in enumerate(found.choices)
        ]
