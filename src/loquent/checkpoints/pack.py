"""A network's weights in the layout of the native runtime, made once and kept."""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.sources.store import home
from loquent.digest import sha256
from loquent.errors import CheckpointError, UsageError, UserError, nearest, together
from loquent.model.names import shapes
from loquent.native import Kind, PackedWriter, Plan, thread_count
from loquent.native._core import BLOCK_ROWS, HEAD_MULTIPLE, LAYOUT_VERSION
from loquent.settings import write

Bits = Literal[4, 8, 16, 32]
Progress = Callable[[int, int], None]  # weights packed so far, of how many
Compare = Callable[[str, NDArray[np.float32], NDArray[np.uint8], Plan], None]

_KINDS = {4: Kind.INT4, 8: Kind.INT8, 16: Kind.BF16, 32: Kind.F32}
# Rows of these are read one by one, and a head's rows compete for the same softmax.
_FINE = ("embedding.weight", "head.weight", "head.hidden.weight")
_OF_WORDS = ("token", "masked", "ctc")  # outputs with a value for each of the vocabulary


def pack(
    config: ModelConfig,
    weights: Mapping[str, NDArray[Any]],
    path: Path,
    bits: Bits,
    progress: Progress | None = None,
    *,
    compare: Compare | None = None,
) -> None:
    """Write a packed model; it stands under `path` once it is whole.

    `compare` is given each weight's name, what was packed of it, its bytes and its plan.
    Raises UsageError for a precision that does not exist, and CheckpointError that names every
    weight that is missing, of another shape, or not finite.
    """
    if bits not in get_args(Bits):
        known = ", ".join(map(str, get_args(Bits)))
        raise UsageError(f"weights are packed in {known} bits, not in {bits}.")
    wanted = _sections(config)
    _check(wanted, weights)
    plans = [_plan(name, shape, config, bits) for name, shape in wanted.items()]
    description = msgspec.json.encode({"config": write(config), "bits": bits})
    path.parent.mkdir(parents=True, exist_ok=True)
    with PackedWriter(path, description, plans, threads=thread_count()) as writer:
        for done, (name, plan) in enumerate(zip(wanted, plans, strict=True)):
            if progress is not None:
                progress(done, len(plans))
            array = np.asarray(weights[name], dtype=np.float32)
            if not np.isfinite(array).all():
                raise CheckpointError(f"weight {name!r} has values that are not finite.")
            array = _arranged(array, name, plan, config)
            data = writer.write(array)
            if compare is not None:
                compare(name, array, data, plan)
    if progress is not None:
        progress(len(plans), len(plans))


def packed(
    config: ModelConfig,
    weights: Mapping[str, NDArray[Any]],
    fingerprint: str,
    bits: Bits,
    progress: Progress | None = None,
) -> Path:
    """The packed model of weights with this fingerprint, from the cache or made now."""
    path = packed_path(config, fingerprint, bits)
    if not path.exists():
        pack(config, weights, path, bits, progress)
    return path


def packed_path(config: ModelConfig, fingerprint: str, bits: Bits) -> Path:
    """Where the packed model is kept: `$LOQUENT_HOME/packed`, by content and layout version."""
    return _home() / f"{_key(config, fingerprint)}-{bits}bit-v{LAYOUT_VERSION}.loquent"


def packed_files(config: ModelConfig, fingerprint: str) -> list[Path]:
    """All packed models of weights with this fingerprint, those of other versions included."""
    return sorted(_home().glob(f"{_key(config, fingerprint)}-*bit-v*.loquent"))


def _home() -> Path:
    return home() / "packed"


def _key(config: ModelConfig, fingerprint: str) -> str:
    settings = msgspec.json.encode(write(config))
    return sha256(fingerprint.encode() + settings).hexdigest()[:32]


def _sections(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    wanted = shapes(config)
    return wanted


def _check(wanted: Mapping[str, tuple[int, ...]], weights: Mapping[str, NDArray[Any]]) -> None:
    faults: list[UserError] = []
    for name, shape in wanted.items():
        if name not in weights:
            faults.append(
                CheckpointError(f"weight {name!r} is missing.", fix=nearest(name, weights))
            )
        elif weights[name].shape != shape:
            faults.append(
                CheckpointError(
                    f"weight {name!r} has the shape {weights[name].shape}, not {shape}."
                )
            )
    if faults:
        raise together(CheckpointError, faults)


def _plan(name: str, shape: tuple[int, ...], config: ModelConfig, bits: Bits) -> Plan:
    kind = Kind.PLAIN
    rows, columns = shape if len(shape) == 2 else (1, shape[0])
    if len(shape) == 3:  # a convolution of a front, of so few weights that they are kept fine
        return Plan(name, Kind.F32 if bits == 32 else Kind.BF16, shape[0], prod(shape[1:]))
    if _is_matrix(name, shape):
        kind = _KINDS[8 if bits == 4 and name.endswith(_FINE) else bits]
        if name.startswith("head.") and config.output not in _OF_WORDS:
            kind = Kind.F32  # so small that rounding it saves nothing
    if (padding := _head_padding(name, config)) is not None:
        heads, width, padded = padding
        if name.endswith("output.weight"):
            columns = heads * padded
        elif name.endswith("output.bias"):
            pass
        elif len(shape) == 2:
            rows = heads * padded
        else:
            columns = heads * padded
        assert width * heads in shape or name.endswith("output.bias")
    if kind is Kind.PLAIN and _is_bias(name):
        columns = -(-columns // BLOCK_ROWS) * BLOCK_ROWS
    return Plan(name, kind, rows, columns)


def _arranged(
    array: NDArray[np.float32], name: str, plan: Plan, config: ModelConfig
) -> NDArray[np.float32]:
    """The array as its plan says: heads padded with zeros, biases to whole blocks."""
    if array.ndim == 3:  # frame by frame, as the inputs stand one behind the other
        return np.ascontiguousarray(array.swapaxes(1, 2)).reshape(plan.rows, plan.columns)
    padding = _head_padding(name, config)
    if padding is not None and padding[1] != padding[2] and not name.endswith("output.bias"):
        heads, width, padded = padding
        axis = 1 if name.endswith("output.weight") else 0
        shape = list(array.shape)
        split = array.reshape(*shape[:axis], heads, width, *shape[axis + 1 :])
        spread = [(0, 0)] * split.ndim
        spread[axis + 1] = (0, padded - width)
        shape[axis] = heads * padded
        array = np.pad(split, spread).reshape(shape)
    array = np.atleast_2d(array)
    missing = plan.columns - array.shape[1]
    return np.pad(array, ((0, 0), (0, missing))) if missing else array


def _is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and not name.endswith(
        ("positions.weight", "segments.weight", "relative.weight")
    )


def _is_bias(name: str) -> bool:
    """Whether this is added to a product, rather than by a norm."""
    return name.endswith(".bias") and not name.rsplit(".", 2)[-2].endswith("norm")


def _head_padding(name: str, config: ModelConfig) -> tuple[int, int, int] | None:
    """Heads, their width and their padded width, for a projection of attention."""
    stack_name, _, rest = name.partition(".")
    part = rest.rsplit(".", 2)
    if len(part) < 3 or not part[0].endswith(("attention", "cross")):
        return None
    stack: StackConfig | None = getattr(config, stack_name)
    assert stack is not None
    width = stack.each_head_width
    padded = -(-width // HEAD_MULTIPLE) * HEAD_MULTIPLE
    heads = stack.key_heads if part[1] in ("key", "value") else stack.heads
    return heads, width, padded
