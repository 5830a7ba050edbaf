"""A folder of recordings: a transcript of each, going on after any interruption."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loquent.commands import terminal
from loquent.data import journal
from loquent.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from loquent.audio.activity import Detector
    from loquent.audio.sound import Sound
    from loquent.lm.lm import LM
    from loquent.tasks.speech_decoding import Hearing
    from loquent.tasks.transcribing import Transcript

ENDINGS = (
    ".aif", ".aiff", ".au", ".flac", ".m4a", ".mkv", ".mp3", ".mp4", ".oga", ".ogg", ".opus",
    ".wav", ".webm",
)  # fmt: skip
_SUFFIXES = {"text": ".txt"}  # of files in a format; others are named as it is
_JOURNAL = "transcribe.part"  # which files are done, until all are
_SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Job:
    """The recordings of a folder, and where their transcripts go."""

    source: Path
    target: Path
    settings: Mapping[str, Any]  # all that decides the transcripts
    form: str
    overwrite: bool = False
    quiet: bool = False


def run(job: Job, lm: LM, hearing: Hearing, detector: Detector | None) -> int:
    """Write a transcript of each recording; gives 1 where some could not be read, and names them.

    Raises DataError for a folder without recordings, and UsageError where the output was begun with
    other settings.
    """
    from loquent.tasks.transcribing import transcribe_all

    files = _files(job)
    job.target.mkdir(parents=True, exist_ok=True)
    part = job.target / _JOURNAL
    try:
        with journal.locked(part):
            header = journal.header_of("transcribe", _digest(job, files), job.settings, 1)
            done = journal.begun(part, header, total=len(files), size=1, anew=job.overwrite)
            if done and not job.quiet:
                click.echo(f"[{done} of {len(files)} recordings are done]", err=True)
            with terminal.Progress(f"transcribe {job.source.name}", unit="recordings") as progress:
                left = map(_blocks, files[done:])
                made = transcribe_all(lm, left, hearing, detector=detector)
                _write_all(job, files, done, made, progress)
            faults = _faults(part)
            if not faults:
                part.unlink()
    except OSError as fault:
        raise DataError(
            f"cannot be written: {fault.strerror}.",
            where=str(fault.filename or job.target),
            fix="What is done so far is kept, and the same command goes on behind it.",
        ) from fault
    return _told(job, len(files), faults)


def _files(job: Job) -> list[Path]:
    found = sorted(
        path for path in job.source.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()
    )
    if not found:
        raise DataError(f"holds no recordings ({', '.join(ENDINGS)}).", where=str(job.source))
    counts = Counter(_place(job, path) for path in found)
    twice = [place for place, count in counts.items() if count > 1]
    if twice:
        raise UsageError(
            f"two recordings would be written to {min(twice)}.",
            fix="Recordings of one folder need different names before their endings.",
        )
    return found


def _place(job: Job, path: Path) -> Path:
    """Where the transcript of a recording goes."""
    below = path.relative_to(job.source)
    return job.target / below.with_suffix(_SUFFIXES.get(job.form, f".{job.form}"))


def _digest(job: Job, files: Iterable[Path]) -> str:
    """What tells these recordings from others: their names, sizes and times."""
    from loquent.digest import sha256

    digest = sha256(b"")
    for path in files:
        at = path.stat()
        line = f"{path.relative_to(job.source)}\0{at.st_size}\0{at.st_mtime_ns}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _write_all(
    job: Job,
    files: list[Path],
    done: int,
    made: Iterable[Transcript | DataError],
    progress: terminal.Progress,
) -> None:
    """Write what is left, and note each recording when its transcript is there."""
    left = files[done:]
    with (job.target / _JOURNAL).open("ab") as file:
        for path, each in zip(left, made, strict=True):
            name = str(path.relative_to(job.source))
            line: dict[str, Any] = {"file": name}
            if isinstance(each, DataError):
                line["error"] = str(each)
            else:
                _write(job, path, each)
            file.write(
                json.dumps(line, ensure_ascii=False).encode(errors="surrogateescape") + b"\n"
            )
            file.flush()
            done += 1
            if not job.quiet:
                progress(done, len(files))


def _blocks(path: Path) -> Iterable[Sound]:
    """The blocks of a file; whatever is wrong with it is told when they are asked for."""
    from loquent.audio.reading import blocks

    return blocks(path)


def _write(job: Job, path: Path, made: Transcript) -> None:
    """The transcript of one recording, there wholly or not at all."""
    from loquent.text.subtitles import subtitles

    put(_place(job, path), subtitles(made.segments, job.form))


def put(target: Path | None, pieces: Iterable[str]) -> None:
    """Write pieces of a text as they come: to standard output, or to a file that appears whole."""
    if target is None:
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_name(f".{target.name}.unfinished")
    try:
        with hidden.open("w", encoding="utf-8", newline="\n") as file:
            for piece in pieces:
                file.write(piece)
        hidden.replace(target)
    finally:
        hidden.unlink(missing_ok=True)


def _faults(part: Path) -> list[str]:
    """What was wrong with recordings, of the journal."""
    with part.open(encoding="utf-8", errors="surrogateescape") as file:
        next(file)
        return [each["error"] for each in map(json.loads, file) if "error" in each]


def _told(job: Job, total: int, faults: list[str]) -> int:
    if not faults:
        if not job.quiet:
            click.echo(f"[{total} transcripts in {job.target}]", err=True)
        return 0
    shown = "".join(f"\n  {each}" for each in faults[:_SHOWN_FAULTS])
    more = f"\n  and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
    click.echo(
        f"loquent: {len(faults)} of {total} recordings have no transcript:{shown}{more}", err=True
    )
    return 1


@contextmanager
def seconds_of(path: Path | None, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Progress through one recording, in its seconds."""
    if quiet:
        yield lambda _: None
        return
    from loquent.audio.reading import duration_seconds

    total = round(duration_seconds(path)) if path is not None else 0
    with terminal.Progress("transcribe", unit="s") as progress:
        yield lambda done: progress(
            min(round(done), total) if total else round(done), total or None
        )
