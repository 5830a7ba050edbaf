"""Which rows read which tokens next: requests join and leave at every step. No arrays here."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from loquent.engine.request import Request
from loquent.errors import RequestError

_LEAST_PROMPT_TOKENS = 32  # of prompts in one step, however many answers are being written


@dataclass(eq=False)
class Line:
    """One sequence that is being written, in one row of the network's memory."""

    row: int
    ids: list[int] = field(default_factory=list)  # what was written so far


@dataclass(eq=False)
class Job:
    """A request that has its rows: its prompt is read in the first, then it writes in all."""

    request: Request
    rows: list[int]
    max_tokens: int  # of each answer: as asked for, or what the memory has room for
    read: int = 0  # tokens of the prompt
    shared: int = 0  # of these, those that another request had read before
    started: bool = False  # whether it is clear which tokens it shares
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """Tokens that one row reads in a step; the last ones ask for logits."""

    job: Job
    row: int
    start: int
    ids: list[int]
    wanted: int = 0  # how many ask; in a line all but the first are guesses


class Scheduler:
    """First come, first served: nobody is overtaken, and every answer grows at every step."""

    def __init__(self, rows: int, length: int, tokens_per_step: int) -> None:
        self.length = length
        self._rows = rows
        self._tokens = tokens_per_step
        self._free = list(range(rows))
        self._waiting: OrderedDict[Request, None] = OrderedDict()
        self.running: dict[Request, Job] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or running."""
        return not self._waiting and not self.running

    def submit(self, request: Request) -> None:
        """Let a request wait for its turn.

        Raises RequestError where it can never have one: a prompt that is empty or too long, or more
        answers than there are rows; and where it is under way already.
        """
        if request in self._waiting or request in self.running:
            raise RequestError("this request is under way already.")
        count = len(request.ids)
        if count == 0:
            raise RequestError("the prompt has no tokens.")
        if count >= self.length:
            raise RequestError(
                f"the prompt has {count} tokens, but the model reads {self.length} at most, "
                "the answer included."
            )
        if rows_needed(request) > self._rows:
            raise RequestError(
                f"{rows_needed(request)} answers at a time are more than the {self._rows} rows "
                "that this engine was opened with."
            )
        self._waiting[request] = None

    def admit(self) -> None:
        """Give rows to those that wait, in their order, as long as there are enough."""
        while self._waiting and rows_needed(next(iter(self._waiting))) <= len(self._free):
            request, _ = self._waiting.popitem(last=False)
            rows = [heappop(self._free) for _ in range(rows_needed(request))]
            room = self.length - len(request.ids)
            job = Job(request, rows, min(request.sampling.max_tokens, room))
            self.running[request] = job

    def plan(self, drafts: Mapping[int, list[int]]) -> list[Part]:
        """The tokens of the next step: one for each line, and of prompts what there is room for.

        Lines read what `drafts` guesses for their rows, too.
        """
        parts = []
        for job in self.running.values():
            for line in job.lines:
                ids = [line.ids[-1], *drafts.get(line.row, ())]
                start = len(job.request.ids) + len(line.ids) - 1
                parts.append(Part(job, line.row, start, ids, len(ids)))
        room = max(self._tokens - len(parts), _LEAST_PROMPT_TOKENS)
        for job in self.running.values():
            ids = job.request.ids
            end = min(job.read + room, len(ids))
            if job.started and end > job.read:
                new = ids[job.read : end]
                parts.append(Part(job, job.rows[0], job.read, new, int(end == len(ids))))
                room -= len(new)
        return parts

    def note(self, parts: list[Part]) -> None:
        """Count the parts of a step as read; a step that failed is planned again as it was."""
        for part in parts:
            if not part.job.lines:
                part.job.read += len(part.ids)

    def release(self, job: Job, rows: list[int]) -> None:
        """Take rows back from a job; without any left, it is over."""
        for row in rows:
            job.rows.remove(row)
            heappush(self._free, row)
        job.lines = [line for line in job.lines if line.row not in rows]
        if not job.rows:
            del self.running[job.request]

    def withdraw(self, request: Request) -> Job | None:
        """Forget a request that still waits, or find the job of one that runs."""
        self._waiting.pop(request, None)
        return self.running.get(request)


def rows_needed(request: Request) -> int:
    """Rows that a request takes: one for each answer, or for each beam."""
    return max(request.sampling.n, request.sampling.beams)
