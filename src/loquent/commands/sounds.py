"""What the commands over sounds share: the recording that is named, and what finds speech in it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from loquent.commands import texts
from loquent.errors import DataError, UsageError, nearest

if TYPE_CHECKING:
    from loquent.audio.activity import Detector


def check_there(name: str) -> None:
    """Raise DataError, with the nearest names beside it, for what is no file and no folder."""
    path = Path(name)
    if name == "-" or path.exists():
        return
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    fix = nearest(path.name, [each.name for each in beside])[:200]
    raise DataError("is no file and no folder.", where=name, fix=fix)


def recording(name: str) -> Path | BinaryIO:
    """The file of this name, or standard input for -."""
    return sys.stdin.buffer if name == "-" else Path(name)


def check_writable(path: Path) -> None:
    """Raise UsageError for a sound's file whose format or folder is none, before it is made."""
    from loquent.audio.formats import written_format

    written_format(path.suffix.removeprefix(".").lower())
    if not path.absolute().parent.is_dir():
        raise UsageError(f"the folder of {path} is not there.", fix="Make it first.")


def fetched_detector(given: Mapping[str, Any]) -> Detector:
    """What tells speech from everything else; a rule of thumb where the network cannot be had."""
    from loquent.checkpoints import detectors

    found = detectors.fetched_detector(offline=given["offline"])
    if found.name != "silero":
        texts.note(given, ["speech is told by its loudness: silero-vad is not on this machine"])
    return found
