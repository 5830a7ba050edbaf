"""Single maps: a norm, a product, a bias and a GELU at once, in floats and in 8 bits."""

from math import erf

import numpy as np
import pytest

from loquent.native import (
    Activation,
    Kind,
    Map,
    convolve_channels,
    gelu,
    instruction_sets,
)

DRAWN = np.random.default_rng(0)
SIZES = [(5, 64, 64), (70, 100, 70), (129, 192, 301)]


def floats(*shape: int) -> np.ndarray:
    return DRAWN.normal(size=shape).astype(np.float32)


def bent(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.vectorize(erf)(x / 2**0.5))


def wanted(
    x: np.ndarray, weights: np.ndarray, bias: np.ndarray, norm: list[np.ndarray]
) -> np.ndarray:
    """In doubles: GELU(W norm(x) + b)."""
    x = x.astype(np.float64)
    centered = x - x.mean(1, keepdims=True)
    normed = (
        centered / np.sqrt(np.square(centered).mean(1, keepdims=True) + 1e-5) * norm[0] + norm[1]
    )
    return bent(normed @ weights.T.astype(np.float64) + bias)


@pytest.mark.parametrize("name", instruction_sets())
@pytest.mark.parametrize(("count", "columns", "rows"), SIZES)
@pytest.mark.parametrize(("kind", "off"), [(Kind.F32, 3e-6), (Kind.INT8, 0.02)])
def test_all_at_once(
    name: str, count: int, columns: int, rows: int, kind: Kind, off: float
) -> None:
    x, weights, bias = floats(count, columns), floats(rows, columns) / columns**0.5, floats(rows)
    norm = [floats(columns), floats(columns)]
    made = Map(weights, bias, *norm, 1e-5, kind, Activation.gelu, name)
    exact = wanted(x, weights, bias, norm)
    found = made.apply(x)
    assert found.shape == (count, rows)
    assert np.sqrt(np.square(found - exact).mean() / np.square(exact).mean()) < off
    residual = floats(rows, count)
    turned = made.apply(np.ascontiguousarray(x.T), True, True, residual)
    np.testing.assert_array_equal(turned, found.T + residual)
    np.testing.assert_array_equal(made.apply(x, False, True), found.T)
    np.testing.assert_array_equal(made.apply(np.ascontiguousarray(x.T), True), found)


def test_the_product_alone() -> None:
    x, weights = floats(9, 33), floats(7, 33)
    made = Map(weights, None, None, None, 0, Kind.F32, None)
    np.testing.assert_allclose(made.apply(x), x @ weights.T, rtol=1e-4, atol=1e-5)
    assert made.apply(x[:0]).shape == (0, 7)


def test_what_does_not_fit_is_refused() -> None:
    weights = floats(4, 8)
    made = Map(weights, None, None, None, 0, Kind.F32, None)
    for arguments, told in (
        ((floats(3, 9),), "of another width"),
        ((floats(3, 8), True), "of another width"),
        ((floats(3, 8), False, True, floats(4, 2)), "of another shape"),
        ((floats(3, 8), False, False, floats(3, 4)), "of another shape"),
    ):
        with pytest.raises(ValueError, match=told):
            made.apply(*arguments)
    with pytest.raises(ValueError, match="of another size"):
        Map(weights, floats(3), None, None, 0, Kind.F32, None)
    with pytest.raises(ValueError, match="a norm has weights"):
        Map(weights, None, None, floats(8), 0, Kind.F32, None)
    with pytest.raises(ValueError, match="no such kind"):
        Map(weights, None, None, None, 0, 9, None)
    with pytest.raises(ValueError, match="needs rows and columns"):
        Map(floats(0, 8), None, None, None, 0, Kind.F32, None)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 1000])
def test_gelu(count: int) -> None:
    x = 3 * floats(count)
    made = x.copy()
    gelu(made)
    np.testing.assert_allclose(made, bent(x) if count else x, atol=1e-6)


@pytest.mark.parametrize(
    ("taps", "dilation", "pads"), [(5, 1, (2, 2)), (7, 8, (24, 24)), (3, 2, (0, 1)), (1, 1, (0, 0))]
)
def test_channels_by_themselves(taps: int, dilation: int, pads: tuple[int, int]) -> None:
    x, kernel, bias = floats(6, 50), floats(6, taps), floats(6)
    found = convolve_channels(x, kernel, bias, dilation, *pads)
    padded = np.pad(x.astype(np.float64), ((0, 0), pads))
    steps = padded.shape[1] - dilation * (taps - 1)
    exact = bias[:, None] + sum(
        kernel[:, [tap]] * padded[:, tap * dilation : tap * dilation + steps] for tap in range(taps)
    )
    np.testing.assert_allclose(found, exact, atol=1e-5)
    with pytest.raises(ValueError, match="does not fit"):
        convolve_channels(x, floats(5, taps), None, dilation, *pads)
    with pytest.raises(ValueError, match="does not fit"):
        convolve_channels(x, floats(6, 60), None, dilation, 0, 0)
