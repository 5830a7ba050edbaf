"""One call from a model and data to a report."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from loquent.errors import UsageError, nearest
from loquent.evaluation.asking import Answers
from loquent.evaluation.comparison import Comparison, Flips, compared
from loquent.evaluation.job import Job
from loquent.evaluation.jobs import JOBS, fitting
from loquent.evaluation.judging import Model, Telling, Work
from loquent.evaluation.looking import Source, first_record, looked_at
from loquent.evaluation.report import Report
from loquent.evaluation.settings import Settings, check_used
from loquent.evaluation.storing import store
from loquent.lm.lm import LM


@overload
def evaluate(  # type: ignore[overload-overlap]  # a str is a sequence of str, but comes first
    model: Model | None,
    task: str,
    data: str | Path,
    *,
    settings: Settings | None = None,
    metrics: Sequence[str] = (),
    out: Path | str | None = None,
    overwrite: bool = False,
    telling: Telling | None = None,
) -> Report: ...
@overload
def evaluate(
    model: Sequence[Model],
    task: str,
    data: str | Path,
    *,
    settings: Settings | None = None,
    metrics: Sequence[str] = (),
    out: Path | str | None = None,
    overwrite: bool = False,
    telling: Telling | None = None,
) -> Comparison: ...
def evaluate(
    model: Model | Sequence[Model] | None,
    task: str,
    data: str | Path,
    *,
    settings: Settings | None = None,
    metrics: Sequence[str] = (),
    out: Path | str | None = None,
    overwrite: bool = False,
    telling: Telling | None = None,
) -> Report | Comparison:
    """How good a model is at a task on some data; of several, how they compare with the first.

    `task` is one of `evaluation.jobs.JOBS`, or "" for the likelihood task that the records are of.
    None as model means the catalogue's for the task. `metrics` are those of the task where none is
    named. With `out` the report and all answers are written into that folder, and what was
    interrupted goes on there. Scores do not depend on how many examples are asked together.
    Raises DataError for records that lack what is needed, and UsageError for what does not fit.
    """
    telling, settings = telling or Telling(), settings or Settings()
    job = _job(task) if task else fitting(first_record(str(data)))
    check_used(settings, job.name, job.used)
    source = looked_at(str(data), job, settings, telling.note)
    several = isinstance(model, Sequence) and not isinstance(model, str)
    models: Sequence[Model | None] = model if several else [model]  # type: ignore[list-item, assignment]
    if not models:
        raise UsageError("an evaluation needs a model.")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(out) if out is not None else Path(scratch)
        work = Work(job, source, settings, tuple(metrics), telling, overwrite)
        judged = [
            work.judged(each, folder / _name(each, number) if several else folder)
            for number, each in enumerate(models, 1)
        ]
        reports = [work.report(each) for each in judged]
        result: Report | Comparison = reports[0]
        if several:
            flips = [_flips(source, judged[0].answers, each.answers) for each in judged[1:]]
            tallies = [each.tally for each in judged]
            result = compared(reports, tallies, flips, seed=settings.seed)
        if out is not None:
            for each, report in zip(judged, reports, strict=True):
                store(each.answers.path.parent, "report", report)
            if several:
                store(folder, "comparison", result)
    return result


def _job(task: str) -> Job:
    if task not in JOBS:
        raise UsageError(f"there is no task {task!r} to evaluate.", fix=nearest(task, JOBS))
    return JOBS[task]


def _name(model: Model | None, number: int) -> str:
    name = model.checkpoint.card.name if isinstance(model, LM) else str(model)
    return f"{number}-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-.')[-60:] or 'model'}"


def _flips(source: Source, first: Answers, second: Answers) -> Flips:
    flips = Flips()
    for item, one, other in zip(source.look.items(), first, second, strict=True):
        for before, after in zip(one, other, strict=True):
            flips.add(item, before, after)
    return flips
