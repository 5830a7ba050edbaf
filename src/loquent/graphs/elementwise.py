"""Operators that work on each value by itself, as the ONNX specification defines them."""

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from loquent.graphs.program import Array, Attributes
from loquent.native import gelu as native_gelu

Operator = Callable[..., Array | tuple[Array, ...]]
Made = Callable[[Attributes], Operator]

TYPES: Mapping[int, type[np.generic]] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}


def plain(function: Operator) -> Made:
    """An operator without attributes."""
    return lambda _: function


def divide(left: Array, right: Array) -> Array:
    """Left by right; whole numbers are cut towards zero."""
    if np.issubdtype(left.dtype, np.integer):
        signs = np.sign(left) * np.sign(right)
        return np.asarray(np.abs(left) // np.abs(right) * signs, left.dtype)
    return np.asarray(left / right)


def power(base: Array, exponent: Array) -> Array:
    """A power, of the type of its base; squares are products."""
    if exponent.size == 1 and exponent.reshape(-1)[0] == 2:
        return np.asarray(base * base)
    return np.asarray(np.power(base, exponent.astype(base.dtype)))


def erf(x: Array) -> Array:
    """The error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26); exact in doubles."""
    if x.dtype == np.float64:
        from math import erf as exact  # noqa: PLC0415

        return np.array([exact(each) for each in x.reshape(-1)]).reshape(x.shape)
    size = np.abs(x)
    t = size * np.float32(0.3275911)
    t += 1
    np.reciprocal(t, out=t)
    made = t * np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        made += np.float32(factor)
        made *= t
    np.multiply(size, size, out=size)
    np.negative(size, out=size)
    made *= np.exp(size, out=size)
    np.subtract(1, made, out=made)
    return np.asarray(np.copysign(made, x))


def gelu(x: Array) -> Array:
    """x · Φ(x) (Hendrycks and Gimpel 2016), by the error function."""
    if x.dtype == np.float32:
        copy = np.array(x, order="C")
        native_gelu(copy)
        return copy
    made = erf(x * x.dtype.type(0.5**0.5))
    made += 1
    made *= x
    made *= x.dtype.type(0.5)
    return made


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, x.dtype)


def softplus(x: Array) -> Array:
    """log(1 + e^x), without overflow."""
    return np.logaddexp(x, np.zeros((), x.dtype), dtype=x.dtype)


def clip(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    """Between two bounds, of which each may be missing."""
    made = x if low is None else np.maximum(x, low)
    return made if high is None else np.minimum(made, high)


def cast(attributes: Attributes) -> Operator:
    """To another type; floats are cut towards zero."""
    wanted = TYPES[attributes.whole("to", 1)]
    return lambda x: x.astype(wanted, copy=False)


def leaky(attributes: Attributes) -> Operator:
    """x, or alpha · x where that is negative."""
    alpha = attributes.real("alpha", 0.01)

    def made(x: Array) -> Array:
        scaled = x * np.asarray(alpha, x.dtype)
        if 0 <= alpha <= 1:
            return np.asarray(np.maximum(x, scaled, out=np.asarray(scaled)))
        return np.where(x < 0, scaled, x)

    return made


ELEMENTWISE: Mapping[str, Made] = {
    "Abs": plain(np.abs),
    "Add": plain(np.add),
    "And": plain(np.logical_and),
    "Cast": cast,
    "Ceil": plain(np.ceil),
    "Clip": plain(clip),
    "Cos": plain(np.cos),
    "Div": plain(divide),
    "Equal": plain(np.equal),
    "Erf": plain(erf),
    "Exp": plain(np.exp),
    "Floor": plain(np.floor),
    "Gelu": plain(gelu),
    "Greater": plain(np.greater),
    "GreaterOrEqual": plain(np.greater_equal),
    "Identity": plain(np.asarray),
    "LeakyRelu": leaky,
    "Less": plain(np.less),
    "LessOrEqual": plain(np.less_equal),
    "Log": plain(np.log),
    "Max": plain(lambda *xs: reduce(np.maximum, xs)),
    "Min": plain(lambda *xs: reduce(np.minimum, xs)),
    "Mul": plain(np.multiply),
    "Neg": plain(np.negative),
    "Not": plain(np.logical_not),
    "Or": plain(np.logical_or),
    "Pow": plain(power),
    "Reciprocal": plain(np.reciprocal),
    "Relu": plain(lambda x: np.maximum(x, 0)),
    "Round": plain(np.rint),
    "Sigmoid": plain(sigmoid),
    "Sign": plain(np.sign),
    "Sin": plain(np.sin),
    "Softplus": plain(softplus),
    "Sqrt": plain(np.sqrt),
    "Sub": plain(np.subtract),
    "Tanh": plain(np.tanh),
    "Where": plain(np.where),
}
