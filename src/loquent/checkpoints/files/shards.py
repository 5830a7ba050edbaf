"""Models in several safetensors files, with an index that says which tensor is where."""

import json
import os
import re
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path

import msgspec
import numpy as np

from loquent.checkpoints.files.container import Array, Container, Tensor
from loquent.checkpoints.files.mapped import mapped
from loquent.checkpoints.files.safetensors import open_safetensors, write_safetensors
from loquent.errors import CheckpointError, UserError, together

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

_INDEX_BYTES = 2**26
_INDEX_QUOTES = 2**21  # four for each tensor: half a million, so that text bounds memory
# Of a shard: bare, no path, and no device of Windows.
_FILE_NAME = re.compile(
    r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(\.|$))[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,199}"
)
_TOLD = 20


def open_shards(index: Path) -> Container:
    """Open all files of an index; raises CheckpointError before any is opened that has no business.

    A shard's name must be a bare file name, and the file a real one in the same folder; each tensor
    must stand in the file that the index names, and none besides.
    """
    places = _weight_map(index)
    names = sorted(set(places.values()))
    faults: list[UserError] = [fault for name in names for fault in _suspicious(index, name)]
    if faults:
        raise together(CheckpointError, faults[:_TOLD])
    shards = {name: open_safetensors(index.parent / name) for name in names}
    tensors: dict[str, Tensor] = {}
    for name, shard in places.items():
        if name not in shards[shard]:
            faults.append(CheckpointError(f"is not in {shard}.", where=f"{index}: tensor {name!r}"))
        else:
            tensors[name] = shards[shard].tensors[name]
    for shard, container in shards.items():
        faults += [
            CheckpointError(
                "is not in the index.", where=f"{index.parent / shard}: tensor {name!r}"
            )
            for name in container
            if places.get(name) != shard
        ]
    if faults:
        raise together(CheckpointError, faults[:_TOLD])
    return Container(tensors, (index, *(index.parent / name for name in names)))


def write_shards(
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], Array],
    shard_bytes: int,
) -> None:
    """Write float32 tensors into one file, or into several of about `shard_bytes` with an index."""
    parts: list[dict[str, tuple[int, ...]]] = [{}]
    size = 0
    for name, shape in shapes.items():
        size += 4 * prod(shape)
        if size > shard_bytes and parts[-1]:
            parts.append({})
            size = 4 * prod(shape)
        parts[-1][name] = shape
    if len(parts) == 1:
        write_safetensors(folder / SINGLE, parts[0], read)
        return
    places: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        file = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        write_safetensors(folder / file, part, read)
        places.update(dict.fromkeys(part, file))
    total = sum(4 * prod(shape) for shape in shapes.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


class _Index(msgspec.Struct):
    weight_map: dict[str, str]  # tensor: file; what else an index holds is skipped unread


def _weight_map(index: Path) -> dict[str, str]:
    raw = mapped(index)
    if len(raw) > _INDEX_BYTES or np.count_nonzero(raw == ord('"')) > _INDEX_QUOTES:
        raise CheckpointError(
            f"is larger than an index can be ({_INDEX_BYTES} bytes, {_INDEX_QUOTES // 4} tensors).",
            where=str(index),
        )
    try:
        return msgspec.json.decode(raw.data, type=_Index).weight_map
    except msgspec.ValidationError as fault:
        raise CheckpointError(
            f"needs a weight_map of tensors to file names: {str(fault)[:200]}.", where=str(index)
        ) from fault
    except (ValueError, RecursionError) as fault:
        raise CheckpointError(f"is not JSON: {str(fault)[:200]}.", where=str(index)) from fault


def _suspicious(index: Path, name: str) -> list[UserError]:
    """What is wrong with the name of a shard, without opening it."""
    where = f"{index}: weight_map"
    if not _FILE_NAME.fullmatch(name) or name.endswith("."):
        return [CheckpointError(f"{name[:80]!r} is not a bare file name.", where=where)]
    path = index.parent / name
    if not os.path.lexists(path):
        return [CheckpointError(f"{name} is missing.", where=where, fix="Fetch the model again.")]
    inside = path.resolve().parent
    cache = index.resolve().parent  # the hub's own cache links files to its store of blobs
    if not path.is_file() or (path.is_symlink() and not _stored(inside, cache)):
        return [CheckpointError(f"{name} is not a file of this folder.", where=where)]
    return []


def _stored(target: Path, folder: Path) -> bool:
    """Whether a link stays in its folder, or leads to the `blobs` of the hub's cache beside it."""
    if target == folder:
        return True
    return any(target == parent / "blobs" for parent in folder.parents[:3])
