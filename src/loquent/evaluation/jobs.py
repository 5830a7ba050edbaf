"""The tasks at which models are judged."""

from collections.abc import Mapping

from loquent.data.reading import Record
from loquent.evaluation.classes import CLASSIFY
from loquent.evaluation.commanding import COMMAND
from loquent.evaluation.hearing import TRANSCRIBE
from loquent.evaluation.job import Job
from loquent.evaluation.likelihood import CHOOSE, COMPLETE, GENERATE
from loquent.evaluation.ranking import FILL, SEARCH
from loquent.evaluation.writing import ANSWER, SUMMARIZE, TRANSLATE

JOBS: Mapping[str, Job] = {
    job.name: job
    for job in (
        CLASSIFY, TRANSLATE, SUMMARIZE, ANSWER, SEARCH, FILL, TRANSCRIBE, COMMAND,
        GENERATE, COMPLETE, CHOOSE,
    )
}  # fmt: skip


def fitting(record: Record) -> Job:
    """The likelihood task that a record is of, by its columns."""
    names = {str(name).lower() for name in record.values}
    if names & {"choices", "endings", "options"}:
        return CHOOSE
    if {"prompt", "completion"} <= names or {"source", "target"} <= names:
        return COMPLETE
    return GENERATE
