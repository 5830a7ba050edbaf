"""Monotone splines of quotients (Durkan et al. 2019, "Neural Spline Flows", §3.1 and A.1)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_LEAST = 1e-3  # of a bin's width and height, and of a slope
_BEYOND = 1e-6  # so that the last place lies in the last bin


def inverse(y: Array, widths: Array, heights: Array, slopes: Array, bound: float) -> Array:
    """Where a spline has the values y (N,); outside of ±bound it changes nothing.

    Widths and heights (N, K) are logits, slopes (N, K - 1) those between bins before softplus.
    """
    xs, ys = _knots(widths, bound), _knots(heights, bound)
    edge = np.full((len(y), 1), np.log(np.expm1(1 - _LEAST)), y.dtype)
    rises = _LEAST + np.logaddexp(np.concatenate([edge, slopes, edge], 1), y.dtype.type(0))
    inside = np.abs(y) <= bound
    kept = np.where(inside, y, 0)
    reached = ys.copy()
    reached[:, -1] += _BEYOND
    bins = (kept[:, None] >= reached).sum(1)[:, None] - 1

    def of(values: Array) -> Array:
        return np.asarray(np.take_along_axis(values, bins, 1)[:, 0])

    wide, high = of(np.diff(xs, axis=1)), of(np.diff(ys, axis=1))
    mean, first, last = high / wide, of(rises), of(rises[:, 1:])
    up = kept - of(ys)
    bent = up * (first + last - 2 * mean)
    a = high * (mean - first) + bent
    b = high * first - bent
    c = -mean * up
    root = 2 * c / (-b - np.sqrt(np.maximum(b * b - 4 * a * c, 0)))
    return np.where(inside, root * wide + of(xs), y)


def _knots(logits: Array, bound: float) -> Array:
    """Where bins begin and end, from -bound to bound: (N, K) → (N, K + 1)."""
    count = logits.shape[1]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    sums = np.cumsum(_LEAST + (1 - _LEAST * count) * shares, 1)
    made = np.concatenate([np.zeros((len(logits), 1), logits.dtype), sums], 1)
    made = 2 * bound * made - bound
    made[:, 0], made[:, -1] = -bound, bound
    return np.asarray(made.astype(logits.dtype))
