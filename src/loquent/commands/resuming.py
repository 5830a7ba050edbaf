"""One recording into a file: what is written down of it is kept, and the next call goes on there.

Windows of speech are cut as without an interruption, and those that are done are not heard again:
so the transcript is the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import recordings
from loquent.data import journal
from loquent.errors import DataError

if TYPE_CHECKING:
    from loquent.audio.activity import Detector
    from loquent.audio.sound import Sound
    from loquent.lm.lm import LM
    from loquent.tasks.speech_decoding import Hearing
    from loquent.tasks.transcribing import Heard, Transcript
    from loquent.text.segments import Segment

_SURE = 0.5  # chance of a language from which on it counts for all that follows


@dataclass(frozen=True, kw_only=True)
class Job:
    """A recording, and where its transcript goes."""

    source: Path
    target: Path
    settings: Mapping[str, Any]  # all that decides the transcript
    form: str
    as_json: bool = False
    overwrite: bool = False
    quiet: bool = False

    @property
    def part(self) -> Path:
        """Where the windows are that are done, until all are."""
        return self.target.with_name(f"{self.target.name}.part")


def run(job: Job, lm: LM, hearing: Hearing, detector: Detector | None) -> None:
    """Write down a recording; raises UsageError where it was begun with other settings.

    A recording that cannot be read leaves nothing, an interruption the windows that are done.
    """
    job.target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with journal.locked(job.part):
            header = journal.header_of("transcribe", _told_by(job.source), job.settings, 1)
            journal.begun(job.part, header, total=sys.maxsize, size=1, anew=job.overwrite)
            seconds = _hear(job, lm, hearing, detector)
            recordings.put(job.target, _written(job, seconds))
            job.part.unlink()
    except DataError:
        job.part.unlink(missing_ok=True)
        raise
    except OSError as fault:
        raise DataError(
            f"cannot be written: {fault.strerror}.",
            where=str(fault.filename or job.part),
            fix="What is done so far is kept, and the same command goes on behind it.",
        ) from fault


def _told_by(path: Path) -> str:
    """What tells a recording from another of the same name."""
    at = path.stat()
    return f"{path.name} {at.st_size} {at.st_mtime_ns}"


def _hear(job: Job, lm: LM, hearing: Hearing, detector: Detector | None) -> float:
    """Hear the windows that are left, and note each; how long the recording is, in seconds."""
    from loquent.audio.reading import blocks
    from loquent.tasks.transcribing import heard

    done, language = _begun(job.part)
    if done and not job.quiet:
        click.echo(f"[{done} windows of up to 30 s are done]", err=True)
    if language and not hearing.language:
        hearing = replace(hearing, language=language)
    seconds = 0.0

    def counted() -> Iterator[Sound]:
        nonlocal seconds
        for block in blocks(job.source):
            seconds += block.seconds
            yield block

    with (
        recordings.seconds_of(job.source, job.quiet) as progress,
        job.part.open("ab") as file,
    ):
        for each in heard(lm, counted(), hearing, detector=detector, skip=done):
            file.write(json.dumps(_line(each), ensure_ascii=False).encode() + b"\n")
            file.flush()  # so that a process that is killed has lost this window at most
            progress(each.window.end_seconds)
    return seconds


def _line(made: Heard) -> dict[str, Any]:
    return {
        "again": made.window.again,
        "language": made.language,
        "chance": made.language_chance,
        "segments": [asdict(each) for each in made.segments],
    }


def _begun(part: Path) -> tuple[int, str]:
    """How many windows are done, and the language that was found in them; "" where not sure.

    Of the last window something may be left that is to be heard again: it is not counted.
    """
    starts, language, found = list[int](), "", ""
    with part.open("r+b") as file:
        file.readline()
        at = file.tell()
        while line := file.readline():
            made = json.loads(line)
            if not made["again"]:
                starts.append(at)
                language = language or found
            if made["segments"] and made["chance"] >= _SURE:
                found = found or made["language"]
            at = file.tell()
        if starts:
            file.truncate(starts[-1])
    return max(len(starts) - 1, 0), language


def _lines(part: Path) -> Iterator[dict[str, Any]]:
    with part.open(encoding="utf-8") as file:
        next(file)
        yield from map(json.loads, file)


def _segments(line: Mapping[str, Any]) -> Iterator[Segment]:
    from loquent.text.segments import Segment, Word

    for each in line["segments"]:
        yield Segment(**{**each, "words": tuple(Word(**word) for word in each["words"])})


def _written(job: Job, seconds: float) -> Iterator[str]:
    """The whole transcript, piece by piece."""
    from loquent.text.subtitles import subtitles

    if job.as_json:
        yield f"{json.dumps(_transcript(job.part, seconds).plain(), ensure_ascii=False)}\n"
        return
    yield from subtitles((each for line in _lines(job.part) for each in _segments(line)), job.form)


def _transcript(part: Path, seconds: float) -> Transcript:
    from loquent.tasks.transcribing import Transcript

    segments, language, chance = list[Any](), "", 0.0
    for line in _lines(part):
        segments += _segments(line)
        if line["segments"] and (not language or line["chance"] > chance):
            language, chance = line["language"], line["chance"]
    return Transcript(tuple(segments), language, chance, seconds)
