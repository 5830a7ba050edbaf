"""safetensors files: a JSON header with names, types, shapes and places, then the bytes.

The rules are those of the format's own description: no holes, no overlap, nothing named twice.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NoReturn

import numpy as np

from loquent.checkpoints.files.blocks import KINDS
from loquent.checkpoints.files.container import Array, Bytes, Container, Tensor
from loquent.checkpoints.files.mapped import Cursor, mapped
from loquent.errors import CheckpointError

_HEADER_BYTES = 2**24  # a hundred thousand tensors; the format itself allows six times as much
_TENSORS = 2**16  # more than any published file holds
_NAME_BYTES = 2**12
_ENTRY_BYTES = 2**12
_METADATA_QUOTES = 2**18
_RANK = 16

# The header piece by piece, each bounded before it becomes objects. The possessive quantifiers
# never try again, so a hostile header costs no more time than its length.
_NAME = re.compile(rb'[ \t\r\n]*+("(?:[^"\\]++|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_OBJECT = re.compile(rb'\{(?:[^{}"]++|"(?:[^"\\]++|\\.)*+")*+\}', re.DOTALL)
_NEXT = re.compile(rb"[ \t\r\n]*+(,|\}[ \t\r\n]*+\Z)")
_EMPTY = re.compile(rb"\{[ \t\r\n]*+\}[ \t\r\n]*+\Z")


def open_safetensors(path: Path) -> Container:
    """Open one file; raises CheckpointError with the tensor or byte that is not as it should be."""
    data = mapped(path)
    cursor = Cursor(data, path)
    length = cursor.number("Q", "the length of the header")
    if length > min(_HEADER_BYTES, cursor.left):
        most = min(_HEADER_BYTES, cursor.left)
        cursor.fail(f"claims a header of {length} bytes (at most {most}).", 0)
    header = _header(cursor.take(length, "the header"), path)
    metadata = header.pop("__metadata__", {})
    if not all(isinstance(value, str) for value in metadata.values()):
        cursor.fail("__metadata__ must map text to text.", 8)
    return Container(_tensors(header, data[cursor.position :], path), (path,), metadata)


def _header(raw: bytes, path: Path) -> dict[str, dict[str, Any]]:
    """The header as flat objects by name, read one by one."""

    def fail(what: str, at: int) -> NoReturn:
        raise CheckpointError(f"the header {what}.", where=f"{path}: byte {8 + at}")

    if not raw.startswith(b"{"):
        fail("does not start with '{'", 0)
    made: dict[str, dict[str, Any]] = {}
    at, more = 1, not _EMPTY.match(raw)
    while more:
        named = _NAME.match(raw, at)
        value = named and _OBJECT.match(raw, named.end())
        after = value and _NEXT.match(raw, value.end())
        if not named or not value or not after:
            fail("is not JSON: a name with a flat object and ',' or '}' should follow", at)
        if named.end() - at > _NAME_BYTES or len(made) > _TENSORS:
            fail(f"has names over {_NAME_BYTES} bytes or over {_TENSORS} tensors", at)
        name = _json(named[1], at, fail)
        if name in made:
            fail(f"is wrong: {name[:100]!r} is there twice", at)
        text = value[0]
        quotes = text.count(b'"') - text.count(b'\\"')
        large = quotes > _METADATA_QUOTES if name == "__metadata__" else len(text) > _ENTRY_BYTES
        if large:
            fail(f"says too much of {name[:100]!r}", value.start())
        made[name] = _json(text, value.start(), fail)
        at, more = after.end(), after[1] == b","
    return made


def _json(raw: bytes, at: int, fail: Callable[[str, int], NoReturn]) -> Any:
    try:
        return _JSON.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as fault:  # UnicodeDecodeError is a ValueError
        offset = getattr(fault, "pos", getattr(fault, "start", 0))
        return fail(f"is not JSON: {str(fault)[:200]}", at + offset)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ValueError(f"{name[:100]!r} is there twice")
        made[name] = value
    return made


_JSON = json.JSONDecoder(object_pairs_hook=_once)  # to make one for each tensor would be slow


def _tensors(header: Mapping[str, Any], data: Bytes, path: Path) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    places: list[tuple[int, int, str]] = []
    start = path.stat().st_size - len(data)
    for name, info in header.items():
        where = f"{path}: tensor {name[:200]!r}"
        kind, shape, first, last = _info(info, where)
        if last > len(data):
            raise CheckpointError(
                f"ends at byte {start + last}, but the file at {start + len(data)}.", where=where
            )
        if prod(shape) * kind.bytes != last - first:
            raise CheckpointError(
                f"has {last - first} bytes, but {kind.name} of shape {list(shape)} needs "
                f"{prod(shape) * kind.bytes}.",
                where=where,
            )
        places.append((first, last, name))
        made[name] = Tensor(name, shape, kind, data[first:last], f"{path}: byte {start + first}")
    end = 0
    for first, last, name in sorted(places):
        if first != end:
            fault = "overlaps the one before it" if first < end else "leaves a hole before it"
            raise CheckpointError(
                f"{fault} at byte {start + first}.", where=f"{path}: tensor {name[:200]!r}"
            )
        end = last
    if end != len(data):
        raise CheckpointError(
            f"{len(data) - end} bytes behind the last tensor belong to none.",
            where=f"{path}: byte {start + end}",
        )
    return made


def _info(info: Mapping[str, Any], where: str) -> tuple[Any, tuple[int, ...], int, int]:
    """(kind, shape, first byte, byte behind the last) of one entry, each checked by itself."""
    if set(info) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError("needs dtype, shape and data_offsets, no more.", where=where)
    kind, shape, offsets = KINDS.get(str(info["dtype"])), info["shape"], info["data_offsets"]
    if kind is None:
        raise CheckpointError(
            f"has the type {str(info['dtype'])[:40]!r}; {', '.join(KINDS)} are read.",
            where=where,
        )
    if not _whole(shape, _RANK) or not _whole(offsets, 2) or len(offsets) != 2:
        raise CheckpointError("shape and data_offsets must be whole numbers.", where=where)
    if prod(shape) >= 1 << 62 or offsets[1] < offsets[0]:
        raise CheckpointError(
            f"has the impossible shape {str(shape)[:200]} or offsets {str(offsets)[:200]}.",
            where=where,
        )
    return kind, tuple(shape), offsets[0], offsets[1]


def _whole(values: Any, most: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(type(each) is int and 0 <= each < 1 << 62 for each in values)
    )


def write_safetensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], read: Callable[[str], Array]
) -> None:
    """Write float32 tensors; `read` gives each when its turn is. The name is there once all are.

    Raises CheckpointError where the file cannot be written.
    """
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            try:
                _write(file, shapes, read)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o644)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as fault:
        raise CheckpointError(f"cannot be written: {fault.strerror}.", where=str(path)) from fault


def _write(file: Any, shapes: Mapping[str, tuple[int, ...]], read: Callable[[str], Array]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    raw = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    file.write(len(raw).to_bytes(8, "little") + raw)
    for name, shape in shapes.items():
        array = np.ascontiguousarray(read(name), dtype="<f4")
        if array.shape != shape:
            raise CheckpointError(f"has the shape {array.shape}, not {shape}.", where=name)
        file.write(array.data)
