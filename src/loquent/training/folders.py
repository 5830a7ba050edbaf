"""Folders that are there wholly or not at all, and that know when a byte of them has changed.

A folder is written under a hidden name, file by file, each forced to the disk; then a list of
their digests; then it gets its name. Whatever stops the process in between leaves the hidden name,
which `clean` removes. The order of these steps follows Pillai et al. 2014, "All File Systems Are
Not Created Equal", section 4: data before names, and a folder's own entry last.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from loquent.errors import CheckpointError, UserError, together

Note = Callable[[str], None]  # told what a person should know, in one sentence

DIGESTS = "digests.json"
_STEP = re.compile(r"step-(0|[1-9]\d{0,17})")
_HIDDEN = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(unfinished|replaced|removed)")
_BUFFER_BYTES = 1 << 20
_LIST_BYTES = 1 << 24  # a digests.json above this is none of ours


def steps(folder: Path) -> list[int]:
    """The steps that `folder` holds checkpoints of, ascending; none where it is not there."""
    if not folder.is_dir():
        return []
    matches = (_STEP.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def path_of(folder: Path, step: int) -> Path:
    """Where `folder` holds the checkpoint of a step."""
    return folder / f"step-{step}"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failing call of the system into a CheckpointError that names the path."""
    try:
        yield
    except OSError as fault:
        raise CheckpointError(
            f"cannot be written: {fault.strerror or fault}.",
            where=str(path),
            fix="What was saved before is untouched; the same command goes on from there.",
        ) from fault


def create(path: Path, files: Mapping[str, Iterable[bytes | memoryview]]) -> None:
    """Write a folder of `files` (name: pieces of its content) so that it appears at once.

    A folder of this name is replaced. Raises CheckpointError that names the file that could not be
    written, forced to the disk or renamed; a folder that was there before is then as it was, or is
    put back by `clean`.
    """
    parent = path.parent
    unfinished = _hidden(path, "unfinished")
    with writing(unfinished):
        if not parent.is_dir():
            parent.mkdir(parents=True)
            sync(parent.parent)
        unfinished.mkdir()
    try:
        entries = {name: _write(unfinished / name, pieces) for name, pieces in files.items()}
        _write(unfinished / DIGESTS, [_encoded(entries)])
        sync(unfinished)
        replaced = _move(path, _hidden(path, "replaced")) if path.exists() else None
        _move(unfinished, path)
        sync(parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)  # gives a full disk its room back
        raise
    if replaced is not None:
        _delete(replaced)


def remove(path: Path) -> None:
    """Delete a folder so that no half of it is ever seen under its name.

    Raises CheckpointError where the system refuses.
    """
    _delete(_move(path, _hidden(path, "removed")))


def clean(folder: Path, note: Note) -> None:
    """Remove what an interrupted `create` or `remove` has left, and put back what it had replaced.

    Only one process may do this, and no other may write meanwhile. Raises CheckpointError where
    the system refuses.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        match = _HIDDEN.fullmatch(path.name)
        if match is None:
            continue
        named = folder / match[1]
        if match[2] == "replaced" and not named.exists():
            _move(path, named)
            note(f"{named}: put back; the one that was to replace it was not finished.")
        else:
            _delete(path)
            note(f"{named}: what an interrupted run left unfinished was removed ({path.name}).")


def verify(path: Path) -> None:
    """Read every byte of a folder and hold it to its digests.

    Raises CheckpointError with every file that is missing, cut or changed, and how.
    """
    entries = _entries(path)
    faults: list[UserError] = []
    for name, entry in entries.items():
        fault = _fault(path / name, entry)
        if fault:
            faults.append(CheckpointError(fault, where=str(path / name)))
    if faults:
        raise together(CheckpointError, faults)


def sync(path: Path) -> None:
    """Have the disk hold a file or a folder's entries; raises CheckpointError."""
    with writing(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _hidden(path: Path, why: str) -> Path:
    return path.parent / f".{path.name}.{token_hex(4)}.{why}"


def _move(path: Path, to: Path) -> Path:
    with writing(path):
        path.rename(to)
    return to


def _delete(path: Path) -> None:
    with writing(path):
        shutil.rmtree(path)


def _write(path: Path, pieces: Iterable[bytes | memoryview]) -> dict[str, Any]:
    """Write one file down to the disk; its digest is of what it was to hold."""
    digest, size = hashlib.sha256(), 0
    with writing(path), path.open("wb", buffering=_BUFFER_BYTES) as file:
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def _encoded(entries: Mapping[str, Any]) -> bytes:
    """The one spelling of digests.json, so that no byte of it can change unseen."""
    text = json.dumps({"format": 1, "files": entries}, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    """What digests.json says of each file, checked for its form."""
    where = path / DIGESTS
    try:
        with where.open("rb") as file:
            raw = file.read(_LIST_BYTES)
    except OSError as fault:
        raise CheckpointError(
            f"cannot be read: {fault.strerror or fault}.", where=str(where)
        ) from fault
    try:
        entries = json.loads(raw)["files"]
        whole = _encoded(entries) == raw
        fit = all(
            Path(name).name == name and set(entry) == {"bytes", "sha256"}
            for name, entry in entries.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise CheckpointError(f"is damaged: {str(fault)[:200]}.", where=str(where)) from fault
    if not (whole and fit):
        raise CheckpointError("is damaged: it is not as it was written.", where=str(where))
    checked: dict[str, dict[str, Any]] = entries
    return checked


def _fault(path: Path, entry: Mapping[str, Any]) -> str:
    """How a file differs from what was written, or nothing."""
    try:
        size = path.stat().st_size
        if size != entry["bytes"]:
            return f"is damaged: it has {size} bytes, but {entry['bytes']} were written."
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(_BUFFER_BYTES):
                digest.update(piece)
    except OSError as fault:
        return f"cannot be read: {fault.strerror or fault}."
    if digest.hexdigest() != entry["sha256"]:
        return "is damaged: its SHA-256 is not the one that was written."
    return ""
