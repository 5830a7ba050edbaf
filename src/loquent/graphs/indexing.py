"""Operators that read and write by place, as ONNX defines them; a place outside is an error."""

from collections.abc import Mapping

import numpy as np

from loquent.graphs.elementwise import Made, Operator, plain
from loquent.graphs.program import Array, Attributes


def gather(attributes: Attributes) -> Operator:
    """Parts of an axis by their places."""
    axis = attributes.whole("axis", 0)
    return lambda x, places: np.asarray(np.take(x, places, axis))


def gather_elements(attributes: Attributes) -> Operator:
    """Single values along an axis."""
    axis = attributes.whole("axis", 0)
    return lambda x, places: np.take_along_axis(x, places, axis)


def gather_nd(attributes: Attributes) -> Operator:
    """Parts by the places along the first axes."""
    if attributes.whole("batch_dims", 0):
        raise NotImplementedError("GatherND with batch_dims")

    def made(x: Array, places: Array) -> Array:
        return np.asarray(x[tuple(np.moveaxis(places, -1, 0))])

    return made


def scatter_nd(attributes: Attributes) -> Operator:
    """A copy with new values at the places along the first axes."""
    if attributes.text("reduction", "none") != "none":
        raise NotImplementedError("ScatterND with a reduction")

    def made(x: Array, places: Array, values: Array) -> Array:
        copy = x.copy()
        copy[tuple(np.moveaxis(places, -1, 0))] = values
        return copy

    return made


def nonzero(x: Array) -> Array:
    """Where values are not zero: (axes, count)."""
    return np.stack(np.nonzero(x)).astype(np.int64)


INDEXING: Mapping[str, Made] = {
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "NonZero": plain(nonzero),
    "ScatterND": scatter_nd,
}
