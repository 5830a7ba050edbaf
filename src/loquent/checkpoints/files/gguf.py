"""GGUF files, versions 2 and 3: one file with settings, tokenizer and (quantized) tensors."""

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from loquent.checkpoints.files.blocks import GGUF_KINDS
from loquent.checkpoints.files.container import Bytes, Container, Tensor
from loquent.checkpoints.files.mapped import Cursor, mapped
from loquent.errors import CheckpointError

MAGIC = b"GGUF"

# More than any published file holds, so that a damaged one is refused before it costs memory.
_KEYS = 2**16
_TENSORS = 2**16
_NAME_BYTES = 2**12
_STRING_BYTES = 2**24
_METADATA_BYTES = 3 * 2**23
_ITEMS = 3 * 2**19  # of all arrays in the metadata together
_DIMENSIONS = 4

_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def open_gguf(path: Path) -> Container:
    """Open a GGUF file; `metadata` holds its keys.

    Raises CheckpointError with the key, tensor or byte that is not as it should be, before anything
    is allocated for it.
    """
    data = mapped(path)
    cursor = Cursor(data, path)
    if cursor.take(4, "the magic") != MAGIC:
        cursor.fail("is not a GGUF file.", 0)
    version = cursor.number("I", "the version")
    if version not in (2, 3):
        swapped = version >= 1 << 16 and version % (1 << 16) == 0
        cursor.fail(
            "is a big-endian GGUF file, which is not read; convert it to little-endian."
            if swapped
            else f"is GGUF version {version}; versions 2 and 3 are read.",
            4,
        )
    tensors = _count(cursor, "tensors", _TENSORS, 24)
    keys = _count(cursor, "keys", _KEYS, 13)
    metadata = _metadata(cursor, keys)
    if metadata.get("split.count", 1) not in (0, 1):
        raise CheckpointError(
            f"is one part of {metadata['split.count']}.",
            where=str(path),
            fix="Join them first, with llama.cpp's gguf-split --merge.",
        )
    return Container(_tensors(cursor, tensors, metadata, data), (path,), metadata)


def _count(cursor: Cursor, what: str, limit: int, least_bytes: int) -> int:
    """A number of things that each take at least so many bytes."""
    start = cursor.position
    count: int = cursor.number("Q", f"the number of {what}")
    if count > limit or count * least_bytes > cursor.left:
        cursor.fail(f"claims {count} {what}, but {cursor.left} bytes follow.", start)
    return count


def _metadata(cursor: Cursor, count: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    items = _ITEMS
    for _ in range(count):
        start = cursor.position
        key = cursor.text(_NAME_BYTES, "a key")
        if key in made:
            cursor.fail(f"key {key!r} is there twice.", start)
        made[key] = value = _value(cursor, cursor.number("I", f"the type of {key!r}"), key, items)
        items -= len(value) if isinstance(value, list) else 0
        if cursor.position > _METADATA_BYTES:
            cursor.fail(f"key {key!r} brings the metadata over {_METADATA_BYTES} bytes.", start)
    return made


def _value(cursor: Cursor, kind: int, key: str, items: int) -> Any:
    if kind in _CODES:
        return cursor.number(_CODES[kind], f"key {key!r}")
    if kind == _STRING:
        return cursor.text(_STRING_BYTES, f"key {key!r}")
    if kind != _ARRAY:
        cursor.fail(f"key {key!r} has the unknown type {kind}.", cursor.position - 4)
    inner = cursor.number("I", f"the type in {key!r}")
    start = cursor.position
    length = cursor.number("Q", f"the length of {key!r}")
    if inner == _STRING:
        size = 8
    elif inner in _CODES:
        size = struct.calcsize(f"<{_CODES[inner]}")
    else:
        cursor.fail(f"key {key!r} is an array of type {inner}, which is not read.", start - 4)
    if length > items or length * size > cursor.left:
        cursor.fail(f"key {key!r} claims {length} items, but {cursor.left} bytes follow.", start)
    if inner == _STRING:
        return cursor.texts(length, _STRING_BYTES, f"key {key!r}")
    return list(struct.unpack(f"<{length}{_CODES[inner]}", cursor.take(length * size, key)))


def _tensors(
    cursor: Cursor, count: int, metadata: Mapping[str, Any], data: Bytes
) -> dict[str, Tensor]:
    infos = [_info(cursor) for _ in range(count)]
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment not in {1 << bit for bit in range(3, 17)}:
        cursor.fail(f"general.alignment {alignment!r} is not a power of two from 8 to 65536.")
    start = -(-cursor.position // alignment) * alignment
    made: dict[str, Tensor] = {}
    end, last = 0, ""
    for name, shape, number, offset in sorted(infos, key=lambda info: info[3]):
        kind = GGUF_KINDS.get(number)
        where = f"{cursor.path}: tensor {name!r}"
        if kind is None:
            known = ", ".join(sorted(each.name for each in GGUF_KINDS.values()))
            raise CheckpointError(
                f"is stored as ggml type {number}, which is not read ({known} are).",
                where=where,
                fix="Choose a file of the same model in one of these.",
            )
        if shape[-1] % kind.values:
            raise CheckpointError(
                f"has rows of {shape[-1]} values, not a multiple of {kind.values} ({kind.name}).",
                where=where,
            )
        size = prod(shape) // kind.values * kind.bytes
        first = start + offset
        if offset % alignment or first + size > cursor.size:
            raise CheckpointError(
                f"should stand at byte {first} with {size} bytes, but the file has {cursor.size}.",
                where=where,
            )
        if offset < end:
            raise CheckpointError(f"overlaps tensor {last!r} at byte {first}.", where=where)
        if name in made:
            raise CheckpointError("is there twice.", where=where)
        end, last = offset + size, name
        raw = data[first : first + size]
        made[name] = Tensor(name, shape, kind, raw, f"{cursor.path}: byte {first}")
    return {name: made[name] for name, *_ in infos}


def _info(cursor: Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.text(_NAME_BYTES, "the name of a tensor")
    start = cursor.position
    dimensions = cursor.number("I", f"the dimensions of tensor {name!r}")
    if not 1 <= dimensions <= _DIMENSIONS:
        cursor.fail(f"tensor {name!r} has {dimensions} dimensions (1 to {_DIMENSIONS} are).", start)
    shape = tuple(cursor.number("Q", f"the shape of tensor {name!r}") for _ in range(dimensions))
    if not all(shape) or prod(shape) >= 1 << 62:
        cursor.fail(f"tensor {name!r} has the impossible shape {shape[::-1]}.", start)
    kind = cursor.number("I", f"the type of tensor {name!r}")
    offset = cursor.number("Q", f"the offset of tensor {name!r}")
    return name, shape[::-1], kind, offset  # ggml names the innermost dimension first
