"""Checkpoints of a run: `checkpoints/step-N/`, each there wholly or not at all.

`state.safetensors` holds the tensors, `state.json` the rest, `digests.json` the SHA-256 of both.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from loquent.errors import CheckpointError, UserError, together
from loquent.training import folders
from loquent.training.folders import Note, path_of, steps
from loquent.training.saved import Saved

__all__ = ["Note", "newest", "path_of", "read", "steps", "write"]

TENSORS = "state.safetensors"
VALUES = "state.json"
_FORMAT = 1

# The format's names of types (https://github.com/huggingface/safetensors, "Format").
_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write(folder: Path, step: int, saved: Saved, *, last: int = 2, best: int | None = None) -> Path:
    """Save a state as `folder/step-N` and give its path, then delete what is not to be kept.

    Kept are the `last` newest steps up to this one and the step named by `best`; later ones than
    this belong to a course that was given up. Only one rank may call this. Evaluate, log and
    `Log.sync` before it, so that the log of a step is on the disk before its checkpoint.

    Raises CheckpointError that names the path where the disk is full or a call of the system
    fails; the checkpoints before this one are then as they were.
    """
    path = path_of(folder, step)
    content = {TENSORS: _tensors(saved.tensors, path), VALUES: [_values(step, saved.values, path)]}
    folders.create(path, content)
    earlier = [each for each in steps(folder) if each <= step]
    kept = {step, best, *earlier[max(len(earlier) - last, 0) :]}
    for each in steps(folder):
        if each not in kept:
            folders.remove(path_of(folder, each))
    return path


def newest(folder: Path, note: Note, *, clean: bool = True) -> Saved | None:
    """The newest checkpoint of a run that is as it was written; None where there is none yet.

    `note` is told of each damaged file on the way to an older one, and of the left-overs of an
    interrupted run, which are removed: `clean` is for one rank only, before any other reads.

    Raises CheckpointError with all that is damaged where no checkpoint can be opened.
    """
    if clean:
        folders.clean(folder, note)
    faults: list[UserError] = []
    for step in reversed(steps(folder)):
        path = path_of(folder, step)
        try:
            saved = read(path)
        except CheckpointError as fault:
            faults.append(fault)
            continue
        for damage in faults:
            note(f"A damaged checkpoint is passed over. {damage}")
        if faults:
            note(f"{path}: used instead.")
        return saved
    if faults:
        all_faults = together(CheckpointError, faults)
        raise CheckpointError(
            f"no checkpoint can be opened. {all_faults}",
            where=str(folder),
            fix="Delete this folder to begin anew.",
        )
    return None


def read(path: Path) -> Saved:
    """Open one checkpoint; the tensors are mapped from its file (on the CPU).

    Raises CheckpointError with every file that is not as it was written.
    """
    folders.verify(path)
    try:
        values = json.loads((path / VALUES).read_bytes())
        tensors = load_file(path / TENSORS)
    except (OSError, ValueError, RecursionError, SafetensorError) as fault:
        raise CheckpointError(f"cannot be opened: {fault}.", where=str(path)) from fault
    if values.get("format") != _FORMAT or f"step-{values.get('step')}" != path.name:
        raise CheckpointError(
            f"says that it is step {values.get('step')!r} of format {values.get('format')!r}.",
            where=str(path / VALUES),
            fix=f"Format {_FORMAT} is read, under the name that it was written with.",
        )
    return Saved(tensors, values["values"])


def _values(step: int, values: Mapping[str, Any], path: Path) -> bytes:
    whole = {"format": _FORMAT, "step": step, "values": values}
    try:
        text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)
    except (TypeError, ValueError) as fault:
        raise CheckpointError(
            f"the state holds what JSON does not: {fault}.", where=str(path / VALUES)
        ) from fault
    return text.encode() + b"\n"


def _tensors(tensors: Mapping[str, Tensor], path: Path) -> Iterator[bytes | memoryview]:
    """A safetensors file piece by piece: the header's length, the header, then each tensor."""
    header: dict[str, Any] = {}
    offset = 0
    # wide types first, so that each tensor begins at a multiple of its type's width
    ordered = sorted(tensors.items(), key=lambda each: -each[1].element_size())
    for name, tensor in ordered:
        if tensor.dtype not in _TYPES:
            raise CheckpointError(
                f"tensor {name!r} has the type {tensor.dtype}, which is not saved.",
                where=str(path / TENSORS),
            )
        end = offset + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    raw = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    yield len(raw).to_bytes(8, "little") + raw
    for _, tensor in ordered:
        flat = tensor.detach().cpu().contiguous().reshape(-1)  # one tensor at a time leaves the GPU
        if flat.numel():
            yield flat.view(torch.uint8).numpy().data
