"""A command over all rows of a file: in order, with progress, and going on after any interruption.

Answers are written to `OUT.part`, one line each, a batch at a time; when all are there, `OUT` is
made of them and appears at once. A job that was stopped, even killed, goes on with the same command
behind the last whole batch, so that its result is the same as without the interruption.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import click

from loquent.commands import rows, terminal
from loquent.data import journal
from loquent.errors import DataError, RequestError, UsageError, UserError, nearest, together

if TYPE_CHECKING:
    from loquent.data.reading import Record

_SHOWN_FAULTS = 5

Asked = TypeVar("Asked", bound=str | tuple[str, ...])
Function = Callable[..., Any]


class Plain(Protocol):
    """An answer that can be written down."""

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""


@dataclass(frozen=True, kw_only=True)
class Job(Generic[Asked]):
    """What is asked of each row, and where the answers go."""

    command: str
    source: Path
    target: Path
    settings: Mapping[str, Any]  # all that decides the answers; a job goes on only with the same
    read: Callable[[Record], Asked]  # raises DataError for a row that lacks what is needed
    ask: Callable[[Sequence[Asked]], Sequence[Plain]]  # raises RequestError
    main: str  # the field of an answer that is written where there is room for one
    size: int  # rows that are asked together
    overwrite: bool = False
    quiet: bool = False

    @property
    def part(self) -> Path:
        """Where the answers are until all are there."""
        return self.target.with_name(f"{self.target.name}.part")


@dataclass
class _Seen:
    """What the first look at the rows has found."""

    rows: int = 0
    columns: dict[str, None] = field(default_factory=dict)


def batch_options(function: Function) -> Function:
    """Add the options of a command over the rows of a file."""
    for option in (
        click.option("--overwrite", is_flag=True, help="With --out: begin anew where it is there."),
        click.option(
            "--column", default="", metavar="NAME", help="With --in: the column that is read."
        ),
        click.option(
            "--out",
            "target",
            type=click.Path(path_type=Path),
            help="Write an answer for each row: .jsonl, .csv, .tsv or lines (.txt).",
        ),
        click.option(
            "--in",
            "source",
            type=click.Path(path_type=Path),
            help="Read rows: .jsonl, .json, .csv, .tsv, .parquet or lines (.txt).",
        ),
    ):
        function = option(function)
    return function


def is_batch(given: Mapping[str, Any], text: str | None) -> bool:
    """Whether a file of rows is asked about; raises UsageError where that is said by half."""
    source, target = given["source"], given["target"]
    if source is None and target is None:
        return False
    if source is None or target is None:
        raise UsageError("--in and --out belong together.", fix="Give both.")
    if text is not None:
        raise UsageError("give a text, or --in and --out for a file of rows, not both.")
    return True


def run(job: Job[Asked]) -> int:
    """Do a job, and give the exit status: 1 where some rows could not be answered.

    Raises DataError with every row that is not as it should be before anything is asked, and
    UsageError where the output is there, or was begun with other settings.
    """
    _check_names(job)
    seen = _looked_at(job)
    try:
        return 1 if _done(job, seen) else 0
    except OSError as fault:
        raise DataError(
            f"cannot be written: {fault.strerror}.",
            where=str(fault.filename or job.part),
            fix="What is answered so far is kept, and the same command goes on behind it.",
        ) from fault


def _done(job: Job[Asked], seen: _Seen) -> int:
    """Answer what is left, and make the output; how many rows have no answer."""
    with journal.locked(job.part):
        digest = journal.digest_of(job.source)
        header = journal.header_of(job.command, digest, job.settings, job.size)
        done = journal.begun(job.part, header, total=seen.rows, size=job.size, anew=job.overwrite)
        if done and not job.quiet:
            click.echo(f"[{job.part.name}: {done} of {seen.rows} rows are answered]", err=True)
        with terminal.Progress(f"{job.command} {job.source.name}", unit="rows") as progress:
            _answer_all(job, done, seen.rows, progress)
        return _finish(job, seen)


def _check_names(job: Job[Asked]) -> None:
    source, target = job.source, job.target
    if target.suffix.lower() not in rows.ENDINGS:
        raise UsageError(f"{target} must end with one of {', '.join(rows.ENDINGS)}.")
    if not source.is_file():
        beside = source.parent.iterdir() if source.parent.is_dir() else ()
        fix = nearest(source.name, [each.name for each in beside])[:200]
        raise DataError("is no file.", where=str(source), fix=fix)
    if not target.absolute().parent.is_dir():
        raise UsageError(f"the folder of {target} is not there.", fix="Make it first.")
    if target.exists() and target.samefile(source):
        raise UsageError("--in and --out are the same file.")
    if target.exists() and not job.overwrite:
        raise UsageError(f"{target} is there already.", fix="Name another, or say --overwrite.")


def _looked_at(job: Job[Asked]) -> _Seen:
    """Look at every row before anything is asked; raises DataError with all that are wrong."""
    seen, faults = _Seen(), list[UserError]()

    def note(text: str) -> None:
        if not job.quiet:
            click.echo(f"[{text}]", err=True)

    for record in rows.rows(job.source, note):
        seen.rows += 1
        seen.columns |= dict.fromkeys(map(str, record.values))
        try:
            job.read(record)
        except DataError as fault:
            faults.append(fault)
            if len(faults) == rows.MOST_FAULTS:
                break
    if faults:
        raise together(DataError, faults)
    if not seen.rows:
        raise DataError("holds no rows.", where=str(job.source))
    return seen


def _answer_all(job: Job[Asked], done: int, total: int, progress: terminal.Progress) -> None:
    """Ask about all rows that are left, and append each batch's answers at once."""
    left = islice(rows.rows(job.source, lambda _: None), done, None)
    with job.part.open("ab") as file:
        while batch := list(islice(left, job.size)):
            lines = (json.dumps(each, ensure_ascii=False) + "\n" for each in _answers(job, batch))
            file.write("".join(lines).encode())
            file.flush()  # so that a process that is killed has lost this batch at most
            done += len(batch)
            if not job.quiet:
                progress(done, total)
        os.fsync(file.fileno())


def _answers(job: Job[Asked], batch: Sequence[Record]) -> list[dict[str, Any]]:
    """The answers to some rows; one that cannot be answered gets an error in its place."""
    made: list[dict[str, Any]] = [{} for _ in batch]
    asked: dict[int, Asked] = {}
    for place, record in enumerate(batch):
        value = job.read(record)
        if all(part.strip() for part in ((value,) if isinstance(value, str) else value)):
            asked[place] = value
        elif not rows.has_lines(job.source):
            made[place] = {"error": "the text is empty."}
    try:
        answers = job.ask(list(asked.values())) if asked else []
        for place, each in zip(asked, answers, strict=True):
            made[place] = each.plain()
    except RequestError:  # of one row at least: each by itself
        for place, value in asked.items():
            try:
                made[place] = job.ask([value])[0].plain()
            except RequestError as fault:
                made[place] = {"error": str(fault)}
    return made


def _finish(job: Job[Asked], seen: _Seen) -> int:
    """Make the output of all answers, and tell which rows have none; how many these are."""
    failed, faults, fields = 0, list[str](), dict[str, None]()
    for record, answer in _pairs(job):
        fields |= dict.fromkeys(answer)
        if "error" in answer:
            failed += 1
            if failed <= _SHOWN_FAULTS:
                faults.append(f"\n  {record.where}: {answer['error']}")
    names = {each: f"{job.command}_{each}" if each in seen.columns else each for each in fields}
    hidden = job.target.with_name(f".{job.target.name}.unfinished")
    rows.write(job.target, hidden, _pairs(job), main=job.main, names=names)
    hidden.replace(job.target)
    job.part.unlink()
    if failed:
        more = f"\n  and {failed - len(faults)} more" if failed > len(faults) else ""
        told = f"loquent: {failed} of {seen.rows} rows have no answer:{''.join(faults)}{more}"
        click.echo(told, err=True)
    elif not job.quiet:
        click.echo(f"[{seen.rows} rows in {job.target}]", err=True)
    return failed


def _pairs(job: Job[Asked]) -> Iterator[tuple[Record, dict[str, Any]]]:
    """Each row with its answer."""
    with job.part.open(encoding="utf-8") as file:
        next(file)
        for record, line in zip(rows.rows(job.source, lambda _: None), file, strict=True):
            yield record, json.loads(line)
