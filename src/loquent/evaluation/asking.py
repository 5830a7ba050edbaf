"""A model asked about all examples, whose answers are written down as they come.

Each line of `answers.jsonl` holds the outcomes of one example. What was interrupted goes on behind
the last whole batch, and what is complete is not asked again.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from loquent.data import journal
from loquent.errors import RequestError
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.job import Judge, Look

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers of one model, in a file."""

    path: Path
    asked: int  # examples that were asked in this run
    seconds: float

    def __iter__(self) -> Iterator[list[Outcome]]:
        """The outcomes of each example."""
        with self.path.open(encoding="utf-8") as file:
            next(file)
            for line in file:
                yield [Outcome.of(each) for each in json.loads(line)]


def ask(
    judge: Judge,
    look: Look,
    path: Path,
    header: Mapping[str, Any],
    *,
    size: int,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Answers:
    """Ask about all examples that have no answer yet, `size` of them at a time.

    Raises UsageError where the file is of another job, unless it may be written over, and
    RequestError where none of the first examples can be asked.
    """
    with journal.locked(path):
        done = journal.begun(path, header, total=look.count, size=size, anew=overwrite)
        began, first = time.perf_counter(), done
        with path.open("ab") as file:
            left = islice(look.items(), done, None)
            while batch := list(islice(left, size)):
                made = outcomes(judge, batch)
                if not done:
                    _check_answers(made)
                file.write("".join(map(_line, made)).encode())
                file.flush()  # a process that is killed has lost this batch at most
                done += len(batch)
                if progress is not None:
                    progress(done, look.count)
        return Answers(path=path, asked=done - first, seconds=time.perf_counter() - began)


def outcomes(judge: Judge, batch: list[Item]) -> list[Sequence[Outcome]]:
    """The outcomes of some examples; one that cannot be asked counts as wrong, and says why."""
    try:
        return list(judge(batch))
    except RequestError as fault:
        if len(batch) == 1:
            return [judge.missing(batch[0], str(fault))]
    return [made for item in batch for made in outcomes(judge, [item])]


def _check_answers(made: Sequence[Sequence[Outcome]]) -> None:
    """Raise RequestError where none of the first examples has an answer: so it would go on."""
    told = [outcome for each in made for outcome in each]
    if told and all(outcome.error for outcome in told):
        raise RequestError(f"none of the first {len(made)} examples has an answer: {told[0].error}")


def _line(made: Sequence[Outcome]) -> str:
    return json.dumps([each.plain() for each in made], ensure_ascii=False) + "\n"
