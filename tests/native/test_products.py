"""Products of every kind and instruction set; those of integers are exact."""

import numpy as np
import pytest

from loquent.native import Kind, instruction_sets
from loquent.native._core import multiply, pack_matrix

NAMES = instruction_sets()


def whole_numbers(kind: Kind, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Weights that the kind stores without loss: their scales come out as 1."""
    if kind is Kind.INT8:
        made = rng.integers(-127, 128, shape)
        made[:, 0] = 127
    else:
        made = rng.integers(-8, 8, shape)
        made[:, ::32] = -8
        made[:, 1::32] = 7
    return made.astype(np.float32)


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("kind", [Kind.INT8, Kind.INT4])
@pytest.mark.parametrize("name", NAMES)
def test_sums_of_integers_are_exact(name, kind, tokens):
    rng = np.random.default_rng(tokens)
    weights = whole_numbers(kind, rng, (70, 960))
    x = rng.integers(-127, 128, (tokens, 960)).astype(np.float32)
    x[:, ::64] = 127
    assert np.array_equal(multiply(weights, int(kind), x, name), x @ weights.T)


@pytest.mark.parametrize("kind", [Kind.INT8, Kind.INT4])
@pytest.mark.parametrize("name", NAMES)
def test_extremes_do_not_overflow(name, kind):
    weights = whole_numbers(kind, np.random.default_rng(0), (64, 1024))
    weights[0] = 127 if kind is Kind.INT8 else 7
    weights[0, ::32] = 127 if kind is Kind.INT8 else -8
    x = np.full((4, 1024), 127, np.float32)
    x[1::2] *= -1
    assert np.array_equal(multiply(weights, int(kind), x, name), x @ weights.T)


@pytest.mark.parametrize("kind", list(Kind)[:4])
@pytest.mark.parametrize("name", NAMES)
def test_one_token_gives_what_many_give(name, kind):
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((130, 200)).astype(np.float32)
    x = rng.standard_normal((11, 200)).astype(np.float32)
    many = multiply(weights, int(kind), x, name)
    for token in range(11):
        assert np.array_equal(
            multiply(weights, int(kind), x[token : token + 1], name)[0], many[token]
        )


@pytest.mark.parametrize("kind, tolerance", [(0, 1e-6), (1, 3e-3), (2, 1e-2), (3, 9e-2)])
@pytest.mark.parametrize("name", NAMES)
def test_products_are_close(name, kind, tolerance):
    rng = np.random.default_rng(4)
    weights = rng.standard_normal((100, 300)).astype(np.float32)
    x = rng.standard_normal((6, 300)).astype(np.float32)
    exact = x.astype(np.float64) @ weights.T.astype(np.float64)
    got = multiply(weights, kind, x, name)
    assert np.linalg.norm(got - exact) / np.linalg.norm(exact) < tolerance


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_none(name, kind, bad):
    x = np.ones((2, 128), np.float32)
    x[1, 70] = bad
    got = multiply(np.ones((64, 128), np.float32), kind, x, name)
    assert np.isfinite(got[0]).all()
    assert np.isnan(got[1]).all()


@pytest.mark.parametrize("name", NAMES)
def test_tiny_and_zero_activations(name):
    x = np.zeros((2, 64), np.float32)
    x[1] = 1e-38
    got = multiply(np.ones((64, 64), np.float32), 2, x, name)
    assert np.isfinite(got).all() and np.abs(got).max() < 1e-30


def test_groups_of_four_bits_are_found_again():
    """What another format stored as code * scale + minimum in groups of 32 comes out unchanged."""
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 16, (64, 4, 32))
    codes[..., 0], codes[..., 1] = 0, 15
    scale = rng.uniform(0.01, 0.1, (64, 4, 1)).astype(np.float16).astype(np.float32)
    minimum = rng.uniform(-1, 0, (64, 4, 1)).astype(np.float16).astype(np.float32)
    weights = (codes * scale + minimum).reshape(64, 128).astype(np.float32)
    packed = pack_matrix(weights, 3, 1).reshape(4, 64 * (4 + 16))
    for group in range(4):
        halves = packed[group, : 4 * 64].view(np.float16)
        assert np.array_equal(halves[:64], scale[:, group, 0])
        assert np.array_equal(halves[64:], minimum[:, group, 0])
        halfs = packed[group, 4 * 64 :].reshape(4, 64, 4)
        both = np.stack([halfs & 15, halfs >> 4], axis=2)  # (eight, row, half, column)
        assert np.array_equal(both.transpose(1, 0, 2, 3).reshape(64, 32), codes[:, group])
