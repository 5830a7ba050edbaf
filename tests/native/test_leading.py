"""The likeliest tokens and the logarithm of all exponentials, beside NumPy's."""

import numpy as np
import pytest

from loquent.native import instruction_sets, leading


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("columns", [1, 5, 63, 64, 65, 130, 1000, 32_128])
def test_the_largest_come_first_and_of_equal_ones_the_first(isa: str, columns: int) -> None:
    logits = (np.random.default_rng(columns).standard_normal((7, columns)) * 3).astype(np.float32)
    logits[2] = logits[2].round()  # many are equal
    logits[3] = 1.5
    logits[4] -= 500
    logits[5, : columns // 2] = -np.inf  # what the network itself rules out
    for wanted in (1, 8, 70):
        tokens, values, totals = leading(logits, wanted, isa)
        places = np.broadcast_to(np.arange(columns), logits.shape)
        order = np.lexsort((places, -logits))[:, :wanted]
        assert (tokens == order).all()
        assert (values == np.take_along_axis(logits, order, 1)).all()
        best = logits.max(axis=1, keepdims=True).astype(np.float64)
        sums = np.exp(logits.astype(np.float64) - best).sum(axis=1)
        assert np.abs(totals - best[:, 0] - np.log(sums)).max() < 3e-7 * max(abs(best).max(), 1)


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("place", [0, 63, 64, 129])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_seen_wherever_it_stands(isa: str, place: int, value: float) -> None:
    logits = np.zeros((2, 130), np.float32)
    logits[1, place] = value
    totals = leading(logits, 4, isa)[2]
    assert np.isfinite(totals).tolist() == [True, False]
    assert not np.isfinite(leading(np.full((1, 130), -np.inf, np.float32), 4, isa)[2]).any()


def test_rows_may_stand_apart_but_not_their_numbers() -> None:
    padded = np.random.default_rng(0).standard_normal((5, 160)).astype(np.float32)
    whole = leading(padded[:, :130].copy(), 6)
    assert all(
        (one == other).all() for one, other in zip(leading(padded[:, :130], 6), whole, strict=True)
    )
    with pytest.raises(ValueError, match="side by side"):
        leading(padded[:, ::2], 6)
    with pytest.raises(ValueError, match="at least one"):
        leading(padded, 0)
