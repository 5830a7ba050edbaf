"""What comes of requests of ids, gathered as the engine tells it: no text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from loquent.engine.network import Values
from loquent.engine.request import Choice, Event, Finish, Request
from loquent.errors import UserError
from loquent.lm.stream import Follower


class Runs(Protocol):
    """All that gathering asks of a language model."""

    def follow(self, follower: Follower) -> None:
        """Let the engine begin with a request."""

    def advance(self, stream: Follower) -> None:
        """Go on until there is news."""

    def cancel(self, stream: Follower) -> None:
        """Nobody waits for the rest."""


@dataclass(eq=False)
class Written:
    """One answer: its tokens, the one that ended it included."""

    choices: list[Choice] = field(default_factory=list)
    watched: tuple[float, ...] = ()
    attention: Values | None = None
    finish: Finish | None = None


class Gathered:
    """Everything that the engine tells of one request."""

    def __init__(self, lm: Runs, request: Request) -> None:
        self.request = request
        self.answers = [Written() for _ in range(request.sampling.n)]
        self.error: UserError | None = None
        self._lm = lm

    @property
    def done(self) -> bool:
        """Whether all answers are complete."""
        return all(each.finish for each in self.answers)

    def take(self, event: Event) -> None:
        """Note one event of the engine about this request."""
        answer = self.answers[event.index]
        if event.choice is not None:
            answer.choices.append(event.choice)
        answer.watched = event.watched or answer.watched
        answer.attention = event.attention
        answer.finish, self.error = event.finish, event.error or self.error

    def cancel(self) -> None:
        """Stop here; what was written stays."""
        if not self.done:
            self._lm.cancel(self)
            for each in self.answers:
                each.finish = each.finish or "cancelled"

    def finished(self) -> "Gathered":
        """Wait for the end; raises what the engine failed with."""
        while not self.done:
            self._lm.advance(self)
        if self.error is not None:
            raise self.error
        return self


def gathered(lm: Runs, requests: Iterable[Request], ahead: int) -> Iterator[Gathered]:
    """What comes of each request, in their order; up to `ahead` are under way at a time.

    The next requests are asked for only when there is room for them.
    """
    waiting: list[Gathered] = []
    source = iter(requests)
    try:
        while True:
            while len(waiting) < ahead and (request := next(source, None)) is not None:
                waiting.append(Gathered(lm, request))
                lm.follow(waiting[-1])
            if not waiting:
                return
            yield waiting.pop(0).finished()
    finally:
        for each in waiting:
            each.cancel()
