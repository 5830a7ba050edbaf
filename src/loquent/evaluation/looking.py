"""The examples of a set of data, looked at before a model is asked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path

from loquent.data.reading import ignore
from loquent.data.records import Record, records
from loquent.data.sounds import located, sound_records
from loquent.errors import DataError, UserError, nearest, together
from loquent.evaluation.example import Item
from loquent.evaluation.job import Job, Look
from loquent.evaluation.settings import Settings
from loquent.text.languages import identify

_MOST_FAULTS = 20
_SAMPLE = 20  # examples by which languages are told


@dataclass(frozen=True, kw_only=True)
class Source:
    """All items of a set of data, again and again, and what they are."""

    look: Look
    name: str
    sha256: str


def looked_at(
    data: str, job: Job, settings: Settings, note: Callable[[str], None] = ignore
) -> Source:
    """Look at every record; raises DataError with all that are wrong, up to 20."""

    def items() -> Iterator[Item]:
        for record in _records(data, job, settings, ignore):
            yield from _of(record, job, settings)

    digest, count, faults = sha256(), 0, list[UserError]()
    asked, targets = list[str](), list[str]()
    stream = _records(data, job, settings, note)
    for record in stream:
        try:
            for item in _of(record, job, settings):
                asked_for = _digest(item.shown) if job.sounds else item.shown
                parts = (asked_for, *item.targets, *item.choices)
                digest.update("\x1f".join(parts).encode("utf-8", "surrogatepass") + b"\x1e")
                count += 1
                if count <= _SAMPLE:
                    asked.append(item.shown)
                    targets += item.targets[:1]
        except DataError as fault:
            faults.append(fault)
            if len(faults) == _MOST_FAULTS:
                break
    if faults:
        raise together(DataError, faults)
    if not count:
        raise DataError("holds no examples.", where=data)
    look = Look(
        items=items,
        count=count,
        asked_language=identify(" ".join(asked)).code,
        language=identify(" ".join(targets)).code,
    )
    return Source(look=look, name=data.rpartition("/")[2] or data, sha256=digest.hexdigest())


def first_record(data: str) -> Record:
    """The first record of a set of data; raises DataError where there is none."""
    for record in records(data):
        return record
    raise DataError("holds no examples.", where=data)


def _records(
    data: str, job: Job, settings: Settings, note: Callable[[str], None]
) -> Iterator[Record]:
    path = Path(data)
    if job.sounds and path.is_dir():
        found = sound_records(path)
    elif job.sounds:
        found = (located(each, path.parent) for each in records(data, on_note=note))
    else:
        found = records(data, on_note=note)
    return islice(found, settings.limit or None)


def _digest(path: str) -> str:
    """SHA-256 of a file: a recording is the same wherever it lies."""
    with Path(path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _of(record: Record, job: Job, settings: Settings) -> Iterator[Item]:
    if not settings.by:
        yield from job.items(record, settings)
        return
    if settings.by not in record.values:
        fix = nearest(settings.by, map(str, record.values))
        raise DataError(f"has no column {settings.by!r}.", where=record.where, fix=fix)
    group = str(record.values[settings.by])
    for item in job.items(record, settings):
        yield replace(item, group=group)
