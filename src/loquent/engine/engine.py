"""Continuous batching: requests join and leave at every step of one network."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

import numpy as np

from loquent.engine.drafts import STEP_TOKENS, Asked, Drafter, Pace
from loquent.engine.network import Logits, Network, Tokens, check_sound
from loquent.engine.prefixes import LEAST, Prefixes, common
from loquent.engine.request import Event, Request
from loquent.engine.scheduler import Job, Part, Scheduler
from loquent.engine.writer import Beams, Samples
from loquent.errors import RequestError, UserError

_KEPT_ROWS = 64  # of which each begins differently
_UNLIMITED = 1 << 20  # tokens of a row, where the network itself sets no limit


class Engine:
    """Drives a network; one thread owns it."""

    def __init__(
        self,
        network: Network,
        *,
        rows: int = 32,
        length: int | None = None,
        tokens_per_step: int = 512,
        kept_bytes: int = 0,
        drafter: Drafter | None = None,
    ) -> None:
        """`rows` sequences at a time, each of up to `length` tokens (the network's own limit).

        Up to `kept_bytes` of what rows have read stay for prompts that begin alike, and `drafter`
        guesses tokens ahead, where the network's rows can go back to an earlier token.
        """
        decoder = network.config.decoder
        if decoder is None:
            raise RequestError("the network has no decoder, so it cannot write.")
        limit = decoder.length or _UNLIMITED
        self._network = network
        self._scheduler = Scheduler(rows, min(length or limit, limit), tokens_per_step)
        kept = range(rows, rows + _KEPT_ROWS if network.position_bytes and kept_bytes else rows)
        self._memory = network.new_memory(rows + len(kept), self._scheduler.length)
        self._prefixes = Prefixes(kept, network.position_bytes, kept_bytes)
        self._pace = Pace(drafter) if drafter and network.position_bytes else None
        self._writers: dict[Job, Samples | Beams] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or running."""
        return self._scheduler.idle

    def submit(self, request: Request) -> None:
        """Let a request join at the next step; raises RequestError where it never could."""
        config, beams = self._network.config, request.sampling.beams
        _known(request.named, config.vocabulary)
        if (request.source is None) != (config.encoder is None):
            raise RequestError("an encoder's source is given exactly where there is an encoder.")
        if isinstance(request.source, np.ndarray):
            check_sound(request.source, config)
        elif config.reads_sound and request.source is not None:
            raise RequestError("the encoder reads the features of a sound, not ids.")
        elif request.source is not None and config.encoder is not None:
            _known(request.source, config.source_vocabulary or config.vocabulary)
            count, limit = len(request.source), config.encoder.length
            if count == 0:
                raise RequestError("the source has no tokens.")
            if limit and count > limit:
                raise RequestError(
                    f"the source has {count} tokens, but the encoder reads {limit} at most."
                )
        if beams > config.vocabulary:
            raise RequestError(f"{beams} beams are more than the {config.vocabulary} tokens.")
        self._scheduler.submit(request)

    def cancel(self, request: Request) -> None:
        """Stop a request wherever it is; no event tells of it any more."""
        job = self._scheduler.withdraw(request)
        if job is not None:
            self._release(job, list(job.rows))

    def finish(self, request: Request, index: int) -> None:
        """End one answer as it stands, as at a stop string; no event tells of it any more."""
        job = self._scheduler.running.get(request)
        line = self._writers[job].line(index) if job in self._writers else None
        if job is not None and line is not None:
            self._release(job, [line.row])

    def step(self) -> list[Event]:
        """One pass of the network over all that is under way; gives what came of it."""
        events = self._begin()
        parts = self._scheduler.plan(self._drafts())
        if events or not parts:
            return events
        logits = self._network.step(self._memory, _tokens(parts))
        self._scheduler.note(parts)
        start = 0
        for job, group in groupby((part for part in parts if part.wanted), lambda part: part.job):
            read = list(group)
            end = start + sum(part.wanted for part in read)
            events += self._advance(job, logits[start:end], read)
            start = end
        return events

    def run(self, requests: Iterable[Request]) -> Iterator[Event]:
        """Submit requests and give all events until everything is done.

        Raises RequestError as `submit` does. After an error or an early end none goes on.
        """
        given = []
        try:
            for request in requests:
                self.submit(request)
                given.append(request)
            while not self.idle:
                yield from self.step()
        finally:
            for request in given:
                self.cancel(request)

    def _begin(self) -> list[Event]:
        """Give rows, sources, beginnings and writers to those that have none yet."""
        self._scheduler.admit()
        events = []
        for job in [each for each in self._scheduler.running.values() if each not in self._writers]:
            request = job.request
            try:
                if request.source is not None:
                    self._memory.attach(job.rows[0], request.source)
                self._writers[job] = Beams(job) if request.sampling.beams > 1 else Samples(job)
            except UserError as error:
                events += self._fail(job, error, range(request.sampling.n))
        for job in self._scheduler.running.values():
            if not job.started:
                self._share(job)
        return events

    def _share(self, job: Job) -> None:
        """Let a prompt go on from what begins alike, once that is read."""
        ids = job.request.ids[:-1]  # the last one is read in any case, for its logits
        if job.request.source is None and self._network.position_bytes:
            row, shared = self._prefixes.find(ids)
            for other in self._scheduler.running.values():
                if not other.started or other.request.source is not None:
                    continue
                begins = common(ids, other.request.ids)
                if begins > max(shared, other.read) + LEAST:
                    return  # another one is just reading it
                if min(begins, other.read) > shared and not other.lines:
                    row, shared = other.rows[0], min(begins, other.read)
                for line in other.lines:
                    written = self._writers[other].read(line.row) or []
                    begins = common(ids, other.request.ids + written)
                    if begins > shared:
                        row, shared = line.row, begins
            if shared >= LEAST:
                self._memory.copy(row, job.rows[0])
                job.read = job.shared = shared
        job.started = True

    def _drafts(self) -> dict[int, list[int]]:
        """Guesses for the rows that are being written in, where they pay."""
        if self._pace is None:
            return {}
        lines = [
            (job, line)
            for job in self._scheduler.running.values()
            for line in job.lines
            if job.request.sampling.beams == 1
        ]
        if len(lines) >= STEP_TOKENS:
            return {}  # no row could have one; their ids need not be put together
        return self._pace.drafts(
            [
                Asked(line.row, job.request.ids + line.ids, job.max_tokens - len(line.ids) - 1)
                for job, line in lines
            ]
        )

    def _advance(self, job: Job, logits: Logits, parts: list[Part]) -> list[Event]:
        try:
            events, moves = self._writers[job].advance(logits, parts)
        except UserError as error:
            return self._fail(job, error, self._writers[job].unfinished())
        if job.request.alignment is not None:
            events = [self._aligned(job, each) for each in events]
        if events and job.shared:
            events[0] = replace(events[0], shared=job.shared)
            job.shared = 0
        if self._pace is not None:
            self._pace.note(parts, events)
        moved = [(row, source) for row, source in moves if row != source]
        if moved:
            rows, sources = zip(*moved, strict=True)
            self._memory.reorder(rows, sources)
        used = {line.row for line in job.lines}
        self._release(job, [row for row in job.rows if row not in used])
        return events

    def _aligned(self, job: Job, event: Event) -> Event:
        """The end of an answer with what heads looked at in its source; its row is free then."""
        alignment = job.request.alignment
        if event.finish not in ("stop", "length") or alignment is None:
            return event
        row, written = self._writers[job].answer(event.index)
        ids = alignment.ids(written)
        attention = self._memory.align(row, ids[: self._scheduler.length], alignment.heads)
        return replace(event, attention=attention)

    def _fail(self, job: Job, error: UserError, indices: Iterable[int]) -> list[Event]:
        """End one request alone: the others go on."""
        self._release(job, list(job.rows), keep=False)
        return [Event(job.request, index, None, "error", error) for index in indices]

    def _release(self, job: Job, rows: list[int], *, keep: bool = True) -> None:
        """Take rows back and forget them, unless a beam search may still spread to them."""
        if job.lines and isinstance(self._writers[job], Beams):
            rows = rows if len(rows) == len(job.rows) else []
        for row in rows:
            if keep:
                self._keep(job, row)
            self._memory.clear(row)
            if self._pace is not None:
                self._pace.forget(row)
        self._scheduler.release(job, rows)
        if not job.rows:
            self._writers.pop(job, None)

    def _keep(self, job: Job, row: int) -> None:
        """Keep what a row has read, for prompts that begin alike."""
        if job.request.source is not None or job.request.sampling.beams > 1:
            return
        written = self._writers[job].read(row) if job in self._writers else None
        if written is None:  # only the first row reads the prompt
            read = job.request.ids[: job.read] if row == job.rows[0] else []
        else:
            read = job.request.ids + written
        kept, forgotten = self._prefixes.keep(read)
        for each in forgotten:
            self._memory.clear(each)
        if kept is not None:
            self._memory.copy(row, kept)


def _known(ids: Iterable[int], vocabulary: int) -> None:
    wrong = [each for each in ids if not 0 <= each < vocabulary]
    if wrong:
        raise RequestError(f"token id {wrong[0]} is not from 0 to {vocabulary - 1}.")


def _tokens(parts: list[Part]) -> Tokens:
    counts = [len(part.ids) for part in parts]
    ids = np.fromiter((each for part in parts for each in part.ids), np.int32)
    rows = np.repeat(np.array([part.row for part in parts], np.int32), counts)
    ends = np.cumsum(counts)
    starts = np.array([part.start for part in parts])
    positions = np.arange(len(ids)) - np.repeat(ends - counts - starts, counts)
    wanted = np.zeros(len(ids), np.bool_)
    for part, end in zip(parts, ends, strict=True):
        wanted[end - part.wanted : end] = True
    return Tokens(ids, rows, positions.astype(np.int32), wanted)
