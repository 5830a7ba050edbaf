"""Texts of chances at every moment: their likelihood, and the search for the likeliest."""

from itertools import product

import numpy as np
import pytest
import torch

from loquent.text.alignment import best, collapsed, likeliest, likelihood, places


def logs(moments: int, pieces: int, seed: int = 0) -> np.ndarray:
    wide = 2 * np.random.default_rng(seed).standard_normal((moments, pieces))
    return wide - np.log(np.exp(wide).sum(1, keepdims=True))


def test_repeats_and_blanks_are_left_out() -> None:
    assert collapsed([0, 3, 3, 0, 3, 5, 5, 0]) == [3, 3, 5]
    assert collapsed([]) == []


@pytest.mark.parametrize("ids", [[], [1], [2, 2], [1, 2, 1], [3, 3, 3], [1, 1, 2, 2, 3]])
def test_likelihood_is_that_of_torch(ids: list[int]) -> None:
    given = logs(9, 4)
    expected = -torch.nn.functional.ctc_loss(
        torch.from_numpy(given)[:, None], torch.tensor([ids or [0]])[:, : len(ids)],
        [9], [len(ids)], reduction="sum",
    )  # fmt: skip
    assert likelihood(given, ids) == pytest.approx(float(expected), abs=1e-12)


def test_what_has_no_path_is_impossible() -> None:
    assert likelihood(logs(2, 3), [1, 1]) == -np.inf  # no room for a blank between
    assert likelihood(logs(2, 3), [1, 2]) > -np.inf


def test_the_search_finds_the_likeliest_of_all() -> None:
    for seed in range(5):
        given = logs(5, 3, seed)
        texts = {tuple(collapsed(path)) for path in product(range(3), repeat=5)}
        chances = {text: likelihood(given, text) for text in texts}
        assert np.isclose(np.logaddexp.reduce(list(chances.values())), 0)
        found = best(given, 200)
        assert len(found) == len(texts)
        for text, chance in found:
            assert chance == pytest.approx(chances[tuple(text)], abs=1e-12)
        ranked = sorted(chances.values(), reverse=True)
        assert [chance for _, chance in found] == pytest.approx(ranked)
        few = best(given, 4)
        assert len(few) == 4
        assert chances[tuple(few[0][0])] >= chances[tuple(likeliest(given))] - 1e-12


def test_places_are_those_of_the_likeliest_path() -> None:
    for seed in range(5):
        given = logs(6, 3, seed)
        for ids in ([], [1], [2, 1], [1, 1], [2, 1, 2]):
            paths = [path for path in product(range(3), repeat=6) if collapsed(path) == ids]
            best_path = max(paths, key=lambda path: given[np.arange(6), list(path)].sum())
            found = places(given, ids)
            assert [best_path[first] for first, _ in found] == ids
            said = sorted(at for first, last in found for at in range(first, last + 1))
            assert said == [at for at, piece in enumerate(best_path) if piece]
    with pytest.raises(ValueError, match="no path"):
        places(logs(2, 3), [1, 1])
