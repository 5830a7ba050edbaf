"""Chains of convolutions: each by itself, and behind each other across the pieces of a sound."""

from collections.abc import Callable

import numpy as np
import pytest

from loquent.native import Chain, instruction_sets

DRAWN = np.random.default_rng(0)
Convolved = Callable[..., np.ndarray]


def floats(*shape: int) -> np.ndarray:
    return DRAWN.normal(size=shape).astype(np.float32)


def bent(x: np.ndarray, slope: float) -> np.ndarray:
    return np.where(x < 0, slope * x, x)


def exactly(x: np.ndarray, kernel: np.ndarray, dilation: int, pads: tuple[int, int]) -> np.ndarray:
    padded = np.pad(x.astype(np.float64), ((0, 0), pads))
    steps = padded.shape[1] - dilation * (kernel.shape[2] - 1)
    return np.asarray(
        sum(
            kernel[:, :, tap].astype(np.float64)
            @ padded[:, tap * dilation : tap * dilation + steps]
            for tap in range(kernel.shape[2])
        )
    )


@pytest.mark.parametrize("instruction_set", instruction_sets())
@pytest.mark.parametrize(
    ("channels", "outputs", "length", "taps", "dilation", "pads"),
    [
        (3, 5, 50, 5, 1, (2, 2)),
        (7, 4, 96, 1, 1, (0, 0)),
        (16, 33, 97, 3, 5, (5, 5)),
        (2, 1, 400, 11, 5, (60, 0)),
        (1, 2, 3, 2, 300, (200, 400)),  # zeros only, for whole tiles
        (5, 6, 193, 7, 2, (0, 1)),
        (64, 64, 5000, 3, 12, (12, 12)),  # more than a piece
    ],
)
def test_one_link(
    instruction_set: str,
    channels: int,
    outputs: int,
    length: int,
    taps: int,
    dilation: int,
    pads: tuple[int, int],
) -> None:
    x, kernel = floats(channels, length), floats(outputs, channels, taps)
    exact = exactly(bent(x, 0.1), kernel, dilation, pads)
    chain = Chain([(channels, 0.1)], instruction_set)
    chain.add(0, True, kernel, None, dilation, 1, *pads, [], 1.0, 1.0, False)
    np.testing.assert_allclose(chain.run([x]), exact, atol=5e-5)
    bias, residual = floats(outputs), floats(outputs, exact.shape[1])
    chain = Chain([(channels, 0.1), (outputs, 1.0)], instruction_set)
    chain.add(0, True, kernel, bias, dilation, 1, *pads, [1], 0.5, 0.2, False)
    whole = 0.5 * (exact + bias[:, None] + residual)
    np.testing.assert_allclose(chain.run([x, residual]), whole, atol=5e-5)
    np.testing.assert_allclose(chain.run([x, residual], bent=True), bent(whole, 0.2), atol=5e-5)


@pytest.mark.parametrize("instruction_set", instruction_sets())
@pytest.mark.parametrize("length", [1, 9, 500, 4000])
def test_links_behind_each_other(instruction_set: str, length: int) -> None:
    """Two ways from one value, one of which goes by two links, come together again."""
    x, wide = floats(6, length), floats(10 * 4, 6, 2) / 4
    one, two, three, last = (floats(10, 10, taps) / 6 for taps in (3, 7, 5, 1))
    bias = floats(10)
    chain = Chain([(6, 1.0)], instruction_set)
    chain.add(0, False, wide, bias, 1, 4, 2, 2, [], 1.0, 0.1, False)
    chain.add(1, True, one, None, 1, 1, 1, 1, [1], 1.0, 0.1, False)
    chain.add(2, True, two, bias, 12, 1, 36, 36, [2], 1.0, 1.0, False)
    chain.add(1, True, three, None, 3, 1, 6, 6, [1, 3], 1 / 3, 0.01, False)
    chain.add(4, True, last, None, 1, 1, 0, 0, [], 1.0, 1.0, True)
    phases = exactly(x, wide, 1, (1, 1)).reshape(10, 4, length + 1)
    start = phases.transpose(0, 2, 1).reshape(10, -1)[:, 2:-2] + bias[:, None]
    first = exactly(bent(start, 0.1), one, 1, (1, 1)) + start
    second = exactly(bent(first, 0.1), two, 12, (36, 36)) + bias[:, None] + first
    both = (exactly(bent(start, 0.1), three, 3, (6, 6)) + start + second) / 3
    whole = np.tanh(exactly(bent(both, 0.01), last, 1, (0, 0)))
    np.testing.assert_allclose(chain.run([x]), whole, atol=2e-5)


def test_what_does_not_fit() -> None:
    def link(chain: Chain, **changed: object) -> None:
        given: dict[str, object] = {
            "source": 0, "bent": False, "kernel": floats(4, 6, 3), "bias": None, "dilation": 1,
            "stretch": 1, "before": 0, "after": 0, "added": [], "scale": 1.0, "slope": 1.0,
            "tanh": False,
        } | changed  # fmt: skip
        chain.add(**given)  # type: ignore[arg-type]

    for changed, message in (
        ({"source": 1}, "made later"),
        ({"added": [1]}, "made later"),
        ({"added": [0]}, "another shape"),
        ({"kernel": floats(4, 5, 3)}, "does not fit"),
        ({"dilation": 1 << 60}, "does not fit"),
        ({"dilation": 0}, "does not fit"),
        ({"stretch": 3}, "another size"),
        ({"bias": floats(5)}, "another size"),
        ({"slope": 1.5}, "slope"),
        ({"stretch": 2, "tanh": True}, "at once"),
    ):
        with pytest.raises(ValueError, match=message):
            link(Chain([(6, 1.0)]), **changed)
    chain = Chain([(6, 1.0), (4, 1.0)])
    link(chain, added=[1])
    for x, added, message in (
        (floats(6, 50), floats(4, 49), "another shape"),
        (floats(5, 50), floats(4, 48), "does not fit"),
        (floats(6, 2), floats(4, 2), "does not fit"),  # shorter than the kernel
    ):
        with pytest.raises(ValueError, match=message):
            chain.run([x, added])
    with pytest.raises(ValueError, match="another number"):
        chain.run([floats(6, 50)])
    with pytest.raises(ValueError, match="slope"):
        Chain([(6, -1.0)])


def test_more_threads_give_the_same() -> None:
    x, kernel = floats(64, 20_000), floats(64, 64, 3)  # worth several threads
    chain = Chain([(64, 1.0)])
    chain.add(0, False, kernel, None, 3, 1, 3, 3, [], 1.0, 1.0, False)
    alone = chain.run([x])
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(chain.run([x], threads=threads), alone)
