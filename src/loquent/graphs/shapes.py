"""Operators that make arrays, and that change their shape and order, as ONNX defines them."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from loquent.errors import CheckpointError
from loquent.graphs.elementwise import Made, Operator, plain
from loquent.graphs.program import MOST_VALUES, Array, Attributes


def checked(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape, before memory is taken for it; raises CheckpointError where it is impossible."""
    made = tuple(int(each) for each in shape)
    if any(each < 0 for each in made) or prod(made) > MOST_VALUES:
        raise CheckpointError(f"a step of the graph would make an array of the shape {made}.")
    return made


def constant(attributes: Attributes) -> Operator:
    """A value that the graph holds."""
    value = attributes.any(("value", "value_float", "value_floats", "value_int", "value_ints"))
    if value is None or isinstance(value, str):
        raise CheckpointError("a constant of the graph has no value that is read.")
    floats = attributes.any(("value_float", "value_floats")) is not None
    kind: Any = None if isinstance(value, np.ndarray) else np.float32 if floats else np.int64
    made = np.asarray(value, kind)
    return lambda: made


def filled(attributes: Attributes) -> Operator:
    """An array of one value."""
    given = attributes.array("value")
    value = np.zeros(1, np.float32) if given is None else given.reshape(-1)
    return lambda shape: np.full(checked(shape), value[0], value.dtype)


def expand(x: Array, shape: Array) -> Array:
    """Repeated along axes of length one."""
    wide = np.broadcast_shapes(x.shape, tuple(int(each) for each in shape))
    return np.broadcast_to(x, checked(wide))


def arange(start: Array, limit: Array, delta: Array) -> Array:
    """Numbers from a start up to a limit."""
    count = np.ceil((limit - start) / delta)
    checked((max(int(count), 0),))
    first, last, step = start.item(), limit.item(), delta.item()
    return np.asarray(np.arange(first, last, step, dtype=start.dtype))


def tile(x: Array, repeats: Array) -> Array:
    """Repeated along each axis."""
    checked([size * int(many) for size, many in zip(x.shape, repeats, strict=True)])
    return np.tile(x, tuple(int(each) for each in repeats))


def reshape(attributes: Attributes) -> Operator:
    """The same values in another shape; 0 keeps an axis, -1 is what is left."""
    keep = not attributes.whole("allowzero", 0)

    def made(x: Array, shape: Array) -> Array:
        wanted = [int(each) for each in shape]
        return x.reshape([x.shape[k] if n == 0 and keep else n for k, n in enumerate(wanted)])

    return made


def _axes(attributes: Attributes, given: Array | None) -> tuple[int, ...] | None:
    if given is not None:
        return tuple(int(each) for each in given.reshape(-1))
    return attributes.wholes("axes")


def unsqueeze(attributes: Attributes) -> Operator:
    """With new axes of length one."""

    def made(x: Array, axes: Array | None = None) -> Array:
        return np.expand_dims(x, _axes(attributes, axes) or (0,))

    return made


def squeeze(attributes: Attributes) -> Operator:
    """Without axes of length one."""

    def made(x: Array, axes: Array | None = None) -> Array:
        return np.squeeze(x, _axes(attributes, axes))

    return made


def transpose(attributes: Attributes) -> Operator:
    """The axes in another order."""
    order = attributes.wholes("perm")
    return lambda x: np.transpose(x, order)


def concatenate(attributes: Attributes) -> Operator:
    """One behind the other along an axis."""
    axis = attributes.whole("axis", 0)
    return lambda *parts: np.concatenate(parts, axis)


def slices(
    x: Array,
    starts: Array,
    ends: Array,
    axes: Array | None = None,
    steps: Array | None = None,
) -> Array:
    """A part of each of some axes."""
    which = range(len(starts)) if axes is None else [int(each) % x.ndim for each in axes]
    strides = [1] * len(starts) if steps is None else [int(each) for each in steps]
    places = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, which, strides, strict=True):
        size, last = x.shape[axis], int(end)
        if step < 0 and last < -size:
            places[axis] = slice(int(start), None, step)
        else:
            places[axis] = slice(int(start), last, step)
    return x[tuple(places)]


def split(attributes: Attributes) -> Operator:
    """Parts along an axis, of given or of equal lengths."""
    axis, count = attributes.whole("axis", 0), attributes.whole("num_outputs", 0)

    def made(x: Array, sizes: Array | None = None) -> tuple[Array, ...]:
        given = attributes.wholes("split") if sizes is None else tuple(int(each) for each in sizes)
        if given is None:
            many = count or 2
            each = -(-x.shape[axis] // many)
            return tuple(np.split(x, range(each, x.shape[axis], each), axis))
        return tuple(np.split(x, np.cumsum(given)[:-1], axis))

    return made


def pad(attributes: Attributes) -> Operator:
    """With values around it."""
    mode = {"constant": "constant", "reflect": "reflect", "edge": "edge"}[
        attributes.text("mode", "constant")
    ]

    def made(x: Array, pads: Array, value: Array | None = None, axes: Array | None = None) -> Array:
        which = range(x.ndim) if axes is None else [int(each) % x.ndim for each in axes]
        widths = [(0, 0)] * x.ndim
        for place, axis in enumerate(which):
            widths[axis] = (int(pads[place]), int(pads[place + len(pads) // 2]))
        cut = tuple(
            slice(max(-before, 0), size - max(-after, 0))
            for (before, after), size in zip(widths, x.shape, strict=True)
        )
        grown = [(max(before, 0), max(after, 0)) for before, after in widths]
        checked([size + sum(each) for size, each in zip(x[cut].shape, grown, strict=True)])
        if mode == "constant":
            fill = 0 if value is None else value.reshape(-1)[0]
            return np.pad(x[cut], grown, constant_values=fill)
        return np.pad(x[cut], grown, mode)  # type: ignore[call-overload,no-any-return]

    return made


SHAPES: Mapping[str, Made] = {
    "Concat": concatenate,
    "Constant": constant,
    "ConstantOfShape": filled,
    "Expand": plain(expand),
    "Pad": pad,
    "Range": plain(arange),
    "Reshape": reshape,
    "Shape": plain(lambda x: np.asarray(x.shape, np.int64)),
    "Slice": plain(slices),
    "Split": split,
    "Squeeze": squeeze,
    "Tile": plain(tile),
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
