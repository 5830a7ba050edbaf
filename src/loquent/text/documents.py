"""Files of a tokenizer, read with a limit on their size and with errors that name the place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from loquent.errors import CheckpointError

LIMIT_BYTES = 64 * 2**20  # the largest public tokenizer file has about 35 MB
SETTINGS_BYTES = 4 * 2**20  # of the small files beside it
_LFS = b"version https://git-lfs"

Shape = TypeVar("Shape")


def read_bytes(path: Path, limit: int = LIMIT_BYTES) -> bytes:
    """All bytes of a file; raises CheckpointError where it is missing, too large or a pointer."""
    try:
        size = path.stat().st_size
        if size > limit:
            raise CheckpointError(f"has {size} bytes; at most {limit} are read.", where=str(path))
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as fault:
        raise CheckpointError(f"cannot be read: {fault.strerror}.", where=str(path)) from fault
    if data.startswith(_LFS):
        raise CheckpointError(
            "is only a pointer to a file in git LFS.",
            where=str(path),
            fix="Fetch the file itself, with `git lfs pull`.",
        )
    if len(data) > limit:
        raise CheckpointError(f"has over {limit} bytes.", where=str(path))
    return data


def read_text(path: Path, limit: int = LIMIT_BYTES) -> str:
    """A file as UTF-8; raises CheckpointError with the byte that is not."""
    try:
        return read_bytes(path, limit).decode("utf-8")
    except UnicodeDecodeError as fault:
        raise CheckpointError(f"is not UTF-8 at byte {fault.start}.", where=str(path)) from None


def parse(data: bytes, shape: type[Shape], where: str) -> Shape:
    """JSON of a shape; raises CheckpointError with the place in the document or the byte."""
    try:
        return msgspec.json.decode(data, type=shape)
    except RecursionError:
        raise CheckpointError("is nested too deeply.", where=where) from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as fault:
        raise CheckpointError(f"is not as it should be: {fault}.", where=where) from None


def read_settings(path: Path) -> Mapping[str, Any]:
    """A small JSON object; empty where the file does not exist."""
    if not path.is_file():
        return {}
    return parse(read_bytes(path, SETTINGS_BYTES), dict[str, Any], str(path))
