"""What packing does to weights, measured against the products that the runtime makes."""

import numpy as np
import pytest

from loquent.native import Kind
from loquent.native._core import instruction_sets, multiply, pack_matrix
from loquent.native.unpacked import unpacked

SHAPES = [(1, 1), (3, 5), (64, 64), (65, 63), (130, 200)]
# Largest errors, as shares of a row's largest weight; 4 bits cut off rare ends.
STEPS = {Kind.F32: 0.0, Kind.BF16: 2.0**-8, Kind.INT8: 0.5 / 127, Kind.INT4: 0.25}


def weights(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(rows * 1000 + columns)
    return rng.standard_normal((rows, columns)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", STEPS)
def test_unpacked_values_are_near_the_weights(kind: Kind, shape: tuple[int, int]) -> None:
    real = weights(*shape)
    found = unpacked(pack_matrix(real, int(kind), 1), kind, *shape)
    assert found.shape == shape and found.dtype == np.float32
    most = np.abs(real).max(axis=1, keepdims=True)
    assert (np.abs(found - real) <= STEPS[kind] * most * 1.001).all()
    if kind is not Kind.INT4:
        again = unpacked(pack_matrix(found, int(kind), 1), kind, *shape)
        np.testing.assert_allclose(again, found, rtol=1e-3, atol=1e-3 * float(most.max()))


@pytest.mark.parametrize("kind", STEPS)
def test_products_are_those_with_the_unpacked_values(kind: Kind) -> None:
    """Rows with a single one are not changed by the codes of activations, so they pick columns."""
    real = weights(70, 96)
    found = unpacked(pack_matrix(real, int(kind), 1), kind, 70, 96)
    for name in instruction_sets():
        products = multiply(real, int(kind), np.eye(96, dtype=np.float32), name)
        np.testing.assert_allclose(products.T, found, rtol=1e-5, atol=1e-5)


def test_plain_sections_are_as_they_were() -> None:
    real = weights(3, 5)
    np.testing.assert_array_equal(unpacked(real.reshape(-1).view(np.uint8), Kind.PLAIN, 3, 5), real)
