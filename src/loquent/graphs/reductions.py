"""Operators that make one value of many along axes, and norms, as ONNX defines them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from loquent.graphs.elementwise import Made, Operator
from loquent.graphs.program import Array, Attributes


def reduction(function: Callable[..., Any]) -> Made:
    """An operator that reduces along axes, given as an attribute or an input."""

    def make(attributes: Attributes) -> Operator:
        keep = bool(attributes.whole("keepdims", 1))
        nothing = bool(attributes.whole("noop_with_empty_axes", 0))

        def made(x: Array, axes: Array | None = None) -> Array:
            given = attributes.wholes("axes") if axes is None else tuple(map(int, axes.reshape(-1)))
            if not given and nothing:
                return x
            return np.asarray(function(x, axis=given or None, keepdims=keep), x.dtype)

        return made

    return make


def arg_max(attributes: Attributes) -> Operator:
    """Where the largest value stands."""
    axis, keep = attributes.whole("axis", 0), bool(attributes.whole("keepdims", 1))
    last = bool(attributes.whole("select_last_index", 0))

    def made(x: Array) -> Array:
        if last:
            flipped = np.argmax(np.flip(x, axis), axis, keepdims=keep)
            return np.asarray(x.shape[axis] - 1 - flipped, np.int64)
        return np.asarray(np.argmax(x, axis, keepdims=keep), np.int64)

    return made


def softmax(attributes: Attributes) -> Operator:
    """Exponentials that add up to one."""
    axis = attributes.whole("axis", -1)

    def made(x: Array) -> Array:
        grown = np.exp(x - x.max(axis, keepdims=True))
        grown /= grown.sum(axis, keepdims=True)
        return np.asarray(grown)

    return made


def layer_norm(attributes: Attributes) -> Operator:
    """Normalization along the last axes (Ba et al. 2016, eq. 3)."""
    first, epsilon = attributes.whole("axis", -1), attributes.real("epsilon", 1e-5)

    def made(x: Array, scale: Array, bias: Array | None = None) -> Array:
        axes = tuple(range(first % x.ndim, x.ndim))
        centered = x - x.mean(axes, keepdims=True, dtype=x.dtype)
        variance = np.mean(centered * centered, axes, keepdims=True, dtype=x.dtype)
        centered *= 1 / np.sqrt(variance + np.asarray(epsilon, x.dtype))
        centered *= scale
        return np.asarray(centered if bias is None else centered + bias)

    return made


def cumulative(attributes: Attributes) -> Operator:
    """Sums of all values so far."""
    exclusive, backwards = attributes.whole("exclusive", 0), attributes.whole("reverse", 0)

    def made(x: Array, axis: Array) -> Array:
        place = int(axis.reshape(-1)[0])
        values = np.flip(x, place) if backwards else x
        sums = np.cumsum(values, place, dtype=x.dtype)
        sums = sums - values if exclusive else sums
        return np.flip(sums, place) if backwards else sums

    return made


REDUCTIONS: Mapping[str, Made] = {
    "ArgMax": arg_max,
    "CumSum": cumulative,
    "LayerNormalization": layer_norm,
    "ReduceMax": reduction(np.max),
    "ReduceMean": reduction(np.mean),
    "ReduceMin": reduction(np.min),
    "ReduceProd": reduction(np.prod),
    "ReduceSum": reduction(np.sum),
    "Softmax": softmax,
}
