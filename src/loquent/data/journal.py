"""The journal of a batch: its first line says of what it is, and each other one is an answer.

A line that was being written when the process ended is cut off, with all that is not a whole batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loquent.errors import UsageError


@contextmanager
def locked(part: Path) -> Iterator[None]:
    """No other process may write the same output meanwhile."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  # seldom needed

    place = part.with_name(f".{part.name}.lock")
    lock = FileLock(place)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"another process is writing {part}.", fix="Wait for it.") from None
    try:
        yield
    finally:
        lock.release()
        place.unlink(missing_ok=True)


def begun(part: Path, header: Mapping[str, Any], *, total: int, size: int, anew: bool) -> int:
    """How many of `total` rows are answered already; the journal ends behind a whole batch of them.

    With `anew` it begins again. Raises UsageError where it is of another job.
    """
    first = json.dumps(header, ensure_ascii=False).encode() + b"\n"
    if anew or not part.exists() or not part.stat().st_size:
        part.write_bytes(first)
        return 0
    with part.open("r+b") as file:
        found = file.readline()
        if found != first:
            _refuse_other(found, header, part)
        ends = [file.tell()]
        while file.readline().endswith(b"\n"):
            ends.append(file.tell())
        done = min(len(ends) - 1, total)
        if done < total:
            done -= done % size
        file.truncate(ends[done])
    return done


def header_of(command: str, input: str, settings: Mapping[str, Any], size: int) -> dict[str, Any]:
    """What tells one job from another; `input` is a digest of what is asked about."""
    plain = json.loads(json.dumps(settings, default=str))
    return {"command": command, "input": input, "settings": plain, "size": size}


def digest_of(source: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    from hashlib import file_digest  # noqa: PLC0415  # brings OpenSSL; seldom needed

    with source.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _refuse_other(found: bytes, header: Mapping[str, Any], part: Path) -> None:
    fix = "Say --overwrite to begin anew, or name another --out."
    try:
        old = json.loads(found)
        differing = [
            f"{name} {old['settings'].get(name)!r}, now {value!r}"
            for name, value in header["settings"].items()
            if old["settings"].get(name) != value
        ]
        same_input = old["input"] == header["input"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{part} is not one of ours, or damaged.", fix=fix) from None
    why = "; ".join(differing) or ("another command" if same_input else "another input")
    raise UsageError(f"{part} was begun with {why}.", fix=fix)
