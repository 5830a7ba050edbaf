"""Tables of counts, intervals, and two systems on the same examples."""

import math

import numpy as np
import pytest

from loquent.errors import DataError
from loquent.metrics import METRICS, CountTable, scored
from loquent.metrics.counts import resampled
from loquent.metrics.paired import difference


def counts(examples: int, columns: int, share: float, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    made = generator.integers(1, 9, (examples, columns)).astype(float)
    return made * (generator.random((examples, columns)) < share)


@pytest.mark.parametrize(("columns", "share"), [(3, 1.0), (3, 0.0), (200, 0.01), (40, 0.5)])
@pytest.mark.parametrize("examples", [1, 1023, 1024, 2500])
def test_a_table_holds_what_was_added(examples: int, columns: int, share: float) -> None:
    plain = counts(examples, columns, share)
    table = CountTable.of(plain)
    assert (np.concatenate(list(table.blocks())) == plain).all()
    assert (table.total() == plain.sum(axis=0)).all()
    weights = np.random.default_rng(1).integers(0, 5, (7, examples)).astype(np.uint16)
    assert np.allclose(table.weighted(weights), weights @ plain, rtol=1e-15)
    which = np.random.default_rng(2).random(examples) < 0.4
    chosen = table.chosen(which)
    assert chosen.examples == which.sum()
    assert (chosen.total() == plain[which].sum(axis=0)).all()
    assert chosen.columns == table.columns


def test_all_examples_have_as_many_counts() -> None:
    table = CountTable.of(np.ones((2, 3)))
    with pytest.raises(ValueError, match="2 counts, where the examples before have 3"):
        table.add([1, 2])


def test_resamples_are_of_one_size_and_alike_for_all_tables() -> None:
    one = CountTable.of(np.ones((300, 1)))
    other = CountTable.of(np.eye(300))
    for single, whole in resampled([one, other], seed=4, resamples=50):
        assert (single == 300).all()
        assert (whole.sum(axis=1) == 300).all()
        assert len(np.unique(whole, axis=0)) == len(whole)
    again = [whole for _, whole in resampled([one, other], seed=4, resamples=50)]
    assert (again[0] == whole).all()


def test_a_score_says_all_that_is_needed_to_get_it_again() -> None:
    made = scored(METRICS["rougeL"], np.ones((5, 2)), seed=3, setting="nrefs:1")
    assert made.signature == (
        "f1 in percent|tok:a-z0-9|case:lower|stem:no|nrefs:1|bootstrap:1000|seed:3"
    )
    assert (made.value, made.low, made.high, made.examples) == (100, 100, 100, 5)
    assert "sacrebleu:" in METRICS["bleu"].signature


def test_values_that_cannot_be_had_have_no_interval() -> None:
    made = scored(METRICS["loss"], np.zeros((4, 2)))
    assert math.isnan(made.value) and math.isnan(made.low) and math.isnan(made.high)


SIZE, TRIALS = 250, 400


def accuracies(generator: np.random.Generator) -> np.ndarray:
    return np.stack([generator.random(SIZE) < 0.8, np.ones(SIZE)], axis=1).astype(float)


def macro(generator: np.random.Generator) -> np.ndarray:
    targets = generator.integers(0, 3, SIZE)
    answers = np.where(generator.random(SIZE) < 0.7, targets, generator.integers(0, 3, SIZE))
    count = METRICS["f1"].count
    rows = [count(answers[i : i + 1], targets[i : i + 1], 3) for i in range(SIZE)]
    return np.array(rows, float)


def ratios(generator: np.random.Generator) -> np.ndarray:
    """Examples of unlike length, as of error rates and perplexities."""
    lengths = generator.integers(1, 60, SIZE)
    return np.stack([generator.binomial(lengths, 0.2), lengths], axis=1).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "draw", "truth"),
    [
        pytest.param("accuracy", accuracies, 0.8, marks=pytest.mark.long),
        pytest.param("f1", macro, 0.8, marks=pytest.mark.long),
        ("wer", ratios, 0.2),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(name: str, draw, truth: float) -> None:
    held = 0
    for trial in range(TRIALS):
        made = scored(METRICS[name], draw(np.random.default_rng((7, trial))), seed=trial)
        held += made.low <= truth <= made.high
    assert 0.93 <= held / TRIALS <= 0.97


def systems(size: int, gap: float, seed: int = 0) -> tuple[CountTable, CountTable]:
    """Two systems that are right on the same 70 % and, by chance, on others."""
    generator = np.random.default_rng(seed)
    easy = generator.random(size) < 0.7
    made = []
    for extra in (0.3, 0.3 + gap):
        right = easy | (generator.random(size) < extra)
        made.append(CountTable.of(np.stack([right, np.ones(size)], axis=1).astype(float)))
    return made[0], made[1]


def test_a_clear_difference_is_told_from_chance() -> None:
    metric = METRICS["accuracy"]
    found = difference(metric, *systems(2000, 0.3))
    assert found.low > 0 and found.won == 1 and found.p < 0.005
    assert found.low < found.value < found.high
    assert found.differing < found.examples == 2000
    back = difference(metric, *systems(2000, 0.3)[::-1])
    assert back.value == -found.value and back.won == 0 and back.p == found.p
    assert back.high == pytest.approx(-found.low)


def test_equal_systems_do_not_differ() -> None:
    table = systems(100, 0.0)[0]
    found = difference(METRICS["accuracy"], table, table)
    assert (found.value, found.low, found.high, found.won, found.p) == (0, 0, 0, 0.5, 1)
    assert found.differing == 0 and found.detectable == 0


def test_p_of_equally_good_systems_is_evenly_spread() -> None:
    made = [difference(METRICS["accuracy"], *systems(120, 0.0, seed)).p for seed in range(60)]
    assert 0.0 <= np.mean(np.array(made) < 0.05) <= 0.12
    assert 0.35 < np.mean(made) < 0.7


def test_the_smallest_difference_is_that_of_a_test_of_proportions() -> None:
    found = difference(METRICS["accuracy"], *systems(1000, 0.1))
    # paired: the variance of a difference of -1, 0 or 1
    gaps = np.concatenate(
        [
            np.concatenate(list(each.blocks()))[:, 0]
            for each in systems(1000, 0.1)
        ]
    ).reshape(2, -1)  # fmt: skip
    error = (gaps[1] - gaps[0]).std() / math.sqrt(1000)
    assert found.detectable == pytest.approx(2.8016 * error, rel=0.1)


def test_systems_of_other_examples_are_not_compared() -> None:
    one, other = systems(10, 0.1)[0], systems(11, 0.1)[0]
    with pytest.raises(DataError, match="10 and 11 examples cannot be compared"):
        difference(METRICS["accuracy"], one, other)
    with pytest.raises(DataError, match="0 and 0"):
        difference(METRICS["accuracy"], CountTable(), CountTable())
