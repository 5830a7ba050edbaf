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


def test_another_blank_is_the_same_with_other_numbers() -> None:
    given = logs(5, 3)
    moved = given[:, [1, 2, 0]]  # the blank is the last one, the others are one lower
    for ids in ([], [1], [2, 2], [1, 2]):
        other = [each - 1 for each in ids]
        assert likelihood(moved, other, 2) == likelihood(given, ids)
        if np.isfinite(likelihood(given, ids)):
            assert places(moved, other, 2) == places(given, ids)
    assert [each - 1 for each in likeliest(given)] == likeliest(moved, 2)
    assert collapsed([2, 0, 0, 2, 0], 2) == [0, 0]
    found = {tuple(said): chance for said, chance in best(moved, 100, blank=2)}
    assert found == pytest.approx(
        {tuple(each - 1 for each in said): chance for said, chance in best(given, 100)}
    )


@pytest.mark.parametrize("seed", range(5))
def test_what_is_added_is_searched_for_together(seed: int) -> None:
    given = logs(5, 3, seed)
    random = np.random.default_rng(seed)
    worth = {pair: random.normal(0, 3) for pair in product(range(3), repeat=2)}

    def fused(many: list[tuple[int, ...]], whole: bool) -> list[float]:
        """What each piece is worth behind the one before; the last one counts at the end only."""
        return [
            sum(worth[pair] for pair in zip((0, *said), said if whole else said[:-1], strict=False))
            for said in many
        ]

    texts = {tuple(collapsed(path)) for path in product(range(3), repeat=5)}
    totals = {each: likelihood(given, each) + fused([each], True)[0] for each in texts}
    ranked = sorted(texts, key=lambda each: -totals[each])
    found = best(given, 200, fused=fused)
    assert [tuple(said) for said, _ in found] == ranked
    assert [score for _, score in found] == pytest.approx([totals[each] for each in ranked])
    plain = best(given, 200)[0][0]
    few = best(given, 3, fused=fused)
    assert all(score <= totals[tuple(said)] + 1e-9 for said, score in few)
    if seed == 0:
        assert list(ranked[0]) != plain  # what is added makes a difference


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
