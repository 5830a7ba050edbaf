"""CTranslate2's model.bin, version 6: a specification's name, variables one by one, and aliases.

Names are told with dots, and with one before a layer's number: `decoder.layer.0.ffn.linear_0.bias`.
"""

import re
from math import prod
from pathlib import Path
from typing import Any

from loquent.checkpoints.files.blocks import KINDS
from loquent.checkpoints.files.container import Bytes, Container, Tensor
from loquent.checkpoints.files.mapped import Cursor, mapped
from loquent.errors import CheckpointError

FORMAT = "ctranslate2"
MODEL = "model.bin"
_VERSION = 6
_VARIABLES = 2**16  # more than any published file holds
_NAME_BYTES = 2**10
_RANK = 4
_TYPES = {0: "F32", 1: "I8", 2: "I16", 3: "I32", 4: "F16", 5: "BF16"}  # by the format's numbers
_LAYER = re.compile(r"\blayer_(\d+)\b")


def is_ctranslate2(start: bytes) -> bool:
    """Whether a file that begins so is one, of whatever version."""
    version, length = int.from_bytes(start[:4], "little"), int.from_bytes(start[4:6], "little")
    name = start[6 : 6 + length]
    return (
        1 <= version <= 64
        and 2 <= length <= 64
        and name.endswith(b"\0")
        and name[:-1].isalnum()
        and len(name) == length
    )


def open_ctranslate2(path: Path) -> Container:
    """Open one file: tensors, and as metadata what it is, its numbers and its aliases.

    Raises CheckpointError with the byte that is not as it should be.
    """
    data = mapped(path)
    cursor = Cursor(data, path)
    version = cursor.number("I", "the version")
    if version != _VERSION:
        raise CheckpointError(
            f"is of CTranslate2's version {version}; only {_VERSION} is read.",
            where=str(path),
            fix="Convert the model again with a newer ct2 converter.",
        )
    metadata: dict[str, Any] = {"format": FORMAT, "specification": _name(cursor, "the name")}
    metadata["revision"] = cursor.number("I", "the revision")
    tensors: dict[str, Tensor] = {}
    for index in range(_count(cursor, "variables")):
        start = cursor.position
        tensor = _variable(cursor, data, f"variable {index}")
        if tensor.name in tensors or tensor.name in metadata:
            cursor.fail(f"{tensor.name!r} is there twice.", start)
        if tensor.shape:
            tensors[tensor.name] = tensor
        else:
            metadata[tensor.name] = tensor.read().item()
    aliases = {}
    for _ in range(_count(cursor, "aliases")):
        start = cursor.position
        alias, target = _name(cursor, "an alias"), _name(cursor, "what an alias stands for")
        if alias in tensors or alias in aliases or target not in tensors:
            cursor.fail(f"the alias {alias!r} of {target!r} stands for nothing.", start)
        aliases[alias] = target
    if cursor.left:
        cursor.fail(f"{cursor.left} bytes are left over.")
    _refuse_quantized(tensors, path)
    return Container(tensors, (path,), {**metadata, "aliases": aliases})


def _variable(cursor: Cursor, data: Bytes, what: str) -> Tensor:
    name = _name(cursor, f"the name of {what}")
    start = cursor.position
    rank = cursor.number("B", f"the rank of {name}")
    if rank > _RANK:
        cursor.fail(f"{name!r} has {rank} dimensions; {_RANK} at most are read.", start)
    shape = tuple(cursor.number("I", f"a dimension of {name}") for _ in range(rank))
    place = cursor.position
    number = cursor.number("B", f"the type of {name}")
    if number not in _TYPES:
        cursor.fail(f"{name!r} has the unknown type {number}.", place)
    kind = KINDS[_TYPES[number]]
    claimed, needed = cursor.number("I", f"the size of {name}"), prod(shape) * kind.bytes
    if claimed != needed or claimed > cursor.left or not needed:
        cursor.fail(
            f"{name!r} claims {claimed} bytes; its shape {shape} needs {needed}, and "
            f"{cursor.left} follow.",
            place + 1,
        )
    raw = data[cursor.position : cursor.position + claimed]
    where = f"{cursor.path}: byte {cursor.position}"
    cursor.position += claimed
    return Tensor(name, shape, kind, raw, where)


def _name(cursor: Cursor, what: str) -> str:
    """A string: its length in 2 bytes, then ASCII with a final zero."""
    start = cursor.position
    length = cursor.number("H", f"the length of {what}")
    if not 2 <= length <= _NAME_BYTES:
        cursor.fail(f"{what} claims {length} bytes (2 to {_NAME_BYTES}).", start)
    raw = cursor.take(length, what)
    if raw[-1] or not raw[:-1].isascii() or not raw[:-1].decode("ascii").isprintable():
        cursor.fail(f"{what} is no name.", start)
    return _LAYER.sub(r"layer/\1", raw[:-1].decode("ascii")).replace("/", ".")


def _count(cursor: Cursor, what: str) -> int:
    start = cursor.position
    count: int = cursor.number("I", f"the number of {what}")
    if count > _VARIABLES:
        cursor.fail(f"claims {count} {what}; {_VARIABLES} at most are read.", start)
    return count


def _refuse_quantized(tensors: dict[str, Tensor], path: Path) -> None:
    if any(name.endswith("_scale") for name in tensors):
        raise CheckpointError(
            "holds weights that were rounded to 8 bits.",
            where=str(path),
            fix="Take the model in float16: it is packed to 8 bits when it is opened here.",
        )
