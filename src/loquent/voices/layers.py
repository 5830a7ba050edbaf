"""Small layers of networks over time in NumPy, with weights by name: (C, T) → (C, T)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.errors import CheckpointError
from loquent.graphs.convolution import convolved, spread
from loquent.graphs.elementwise import gelu, sigmoid

Array = NDArray[Any]


@dataclass(frozen=True)
class Weights:
    """Weights whose names begin alike."""

    values: Mapping[str, Array]
    prefix: str = ""

    def at(self, name: object) -> "Weights":
        """Those below a name."""
        return Weights(self.values, f"{self.prefix}{name}.")

    def __getitem__(self, name: str) -> Array:
        """A weight; raises CheckpointError where it is missing."""
        found = self.values.get(f"{self.prefix}{name}")
        if found is None:
            raise CheckpointError(f"tensor {self.prefix}{name} is missing.")
        return found

    def get(self, name: str) -> Array | None:
        """A weight, or None."""
        return self.values.get(f"{self.prefix}{name}")


def same(
    x: Array,
    weights: Weights,
    *,
    dilation: int = 1,
    groups: int = 1,
    slope: float = 1.0,
    residual: Array | None = None,
) -> Array:
    """A convolution that keeps the length, as much before as behind: (C, T) → (O, T).

    Negative values of x count `slope` times, and `residual` (O, T) is added.
    """
    kernel, bias = weights["weight"], weights.get("bias")
    reach = (kernel.shape[2] - 1) * dilation
    made = convolved(
        x[None], kernel, bias, pads=(reach // 2, reach - reach // 2), dilation=dilation,
        groups=groups, slope=slope, residual=None if residual is None else residual[None],
    )  # fmt: skip
    return np.asarray(made[0])


def padded(x: Array, weights: Weights, pads: tuple[int, int]) -> Array:
    """A convolution with zeros before and behind: (C, T) → (O, T')."""
    kernel, bias = weights["weight"], weights.get("bias")
    return np.asarray(convolved(x[None], kernel, bias, pads=pads)[0])


def longer(x: Array, weights: Weights, rate: int, *, slope: float = 1.0) -> Array:
    """A transposed convolution, of negative values `slope` times: (C, T) → (O, rate · T)."""
    kernel = weights["weight"]
    cut = (kernel.shape[2] - rate) // 2
    made = spread(
        x[None], kernel, weights.get("bias"), pads=(cut, cut), stride=rate, slope=slope,
    )  # fmt: skip
    return np.asarray(made[0])


def norm(x: Array, weights: Weights, epsilon: float = 1e-5) -> Array:
    """Normalization of each place (Ba et al. 2016, eq. 3): (C, T) → (C, T)."""
    centered = x - x.mean(0)
    variance = np.mean(centered * centered, 0)
    made = centered / np.sqrt(variance + x.dtype.type(epsilon))
    return np.asarray(made * weights["weight"][:, None] + weights["bias"][:, None])


def linear(x: Array, weights: Weights) -> Array:
    """A map of each place: (C, T) → (O, T)."""
    made = weights["weight"] @ x
    bias = weights.get("bias")
    return np.asarray(made if bias is None else made + bias[:, None])


def leaky(x: Array, slope: float) -> Array:
    """x, or less of it where it is negative."""
    return np.asarray(np.maximum(x, x * x.dtype.type(slope)))


def separable(x: Array, weights: Weights, layers: int) -> Array:
    """Convolutions of single channels, each reaching further, with maps between (Kim 2021, B.4)."""
    for layer in range(layers):
        deep = weights.at("deep").at(layer)
        made = same(x, deep, dilation=deep["weight"].shape[2] ** layer, groups=len(x))
        made = gelu(norm(made, weights.at("deep_norm").at(layer)))
        made = same(made, weights.at("point").at(layer))
        x = x + gelu(norm(made, weights.at("point_norm").at(layer)))
    return x


def gated(x: Array, weights: Weights, layers: int, dilation: int) -> Array:
    """Gated convolutions that add up (van den Oord et al. 2016, §2.3–2.4): (C, T) → (C, T)."""
    width = len(x)
    total = np.zeros_like(x)
    for layer in range(layers):
        both = same(x, weights.at("gates").at(layer), dilation=dilation**layer)
        both = np.tanh(both[:width]) * sigmoid(both[width:])
        step = same(both, weights.at("steps").at(layer))
        if layer < layers - 1:
            x = x + step[:width]
            total += step[width:]
        else:
            total += step
    return total
