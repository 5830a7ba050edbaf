"""Steps that the native kernels do at once: a norm, a map with fixed weights, a bias, a GELU."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from loquent.graphs.elementwise import Made, Operator
from loquent.graphs.program import Array, Attributes
from loquent.native import Activation, Kind, Map

Precision = Literal["float", "int8"]

KINDS: Mapping[str, Kind] = {"float": Kind.F32, "int8": Kind.INT8}


def mapped(attributes: Attributes) -> Operator:
    """x (…, K) → f(norm(x) W + b) (…, N) in 32-bit floats; W is (K, N).

    With "turned" x is (1, K, T); with "across" the result is (1, N, T), to which a second input of
    that shape is added.
    """
    weight = attributes.array("weight")
    if weight is None:
        raise ValueError("a map has no weights")
    native = Map(
        np.ascontiguousarray(weight.T),
        attributes.array("bias"),
        attributes.array("norm_weight"),
        attributes.array("norm_bias"),
        attributes.real("epsilon", 1e-5),
        attributes.whole("kind", int(Kind.F32)),
        Activation.gelu if attributes.whole("gelu", 0) else None,
    )
    turned, across = bool(attributes.whole("turned", 0)), bool(attributes.whole("across", 0))

    def made(x: Array, residual: Array | None = None) -> Array:
        if (turned or across) and (x.ndim != 3 or len(x) != 1):
            raise ValueError("a map across time takes one row")
        rows = np.ascontiguousarray(x[0] if turned else x.reshape(-1, x.shape[-1]), np.float32)
        added = None if residual is None else np.ascontiguousarray(residual[0])
        product = native.apply(rows, turned, across, added)
        if turned or across:
            return product[None]
        return product.reshape(*x.shape[:-1], weight.shape[1])

    return made


MAPS: Mapping[str, Made] = {"Map": mapped}
