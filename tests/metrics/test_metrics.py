"""Metrics against other implementations and hand-made counts."""

import math
from importlib.util import find_spec

import numpy as np
import pytest

from loquent.errors import DataError
from loquent.metrics import METRICS, scored


def counts(name: str, pairs, classes: int = 0) -> np.ndarray:
    metric = METRICS[name]
    return np.array([metric.count(answer, target, classes) for answer, target in pairs], float)


def test_every_metric_is_in_the_table_under_its_name() -> None:
    assert all(name == metric.name for name, metric in METRICS.items())


def test_loss_and_perplexity_weigh_examples_by_their_targets() -> None:
    made = counts("loss", [(3.0, 2), (9.0, 1)])
    assert scored(METRICS["loss"], made).value == 4.0
    assert scored(METRICS["perplexity"], made).value == pytest.approx(math.exp(4))
    assert math.isnan(METRICS["loss"].score(np.zeros(2)))


def test_accuracy_and_f1_are_those_of_hand_made_tables() -> None:
    targets = np.array([0, 0, 0, 1, 1, 2])
    answers = np.array([0, 1, 0, 1, 1, 1])
    pairs = [(answers[i : i + 1], targets[i : i + 1]) for i in range(6)]
    assert scored(METRICS["accuracy"], counts("accuracy", pairs)).value == pytest.approx(4 / 6)
    made = counts("f1", pairs, 4)  # class 3 is never seen
    # class 0: 2 right, 1 missed; class 1: 2 right, 2 wrong; class 2: 1 missed
    expected = (4 / 5 + 4 / 6 + 0) / 3
    assert scored(METRICS["f1"], made).value == pytest.approx(expected)
    assert math.isnan(METRICS["f1"].score(np.zeros(12)))


def test_counts_of_examples_add_up_to_those_of_all() -> None:
    generator = np.random.default_rng(3)
    answers, targets = generator.integers(0, 5, (2, 200))
    alone = counts("f1", [(answers[i : i + 1], targets[i : i + 1]) for i in range(200)], 5)
    together = counts("f1", [(answers, targets)], 5)
    assert (alone.sum(axis=0) == together[0]).all()


@pytest.mark.skipif(find_spec("sacrebleu") is None, reason="sacrebleu is not installed")
def test_bleu_is_that_of_the_corpus() -> None:
    from sacrebleu import corpus_bleu  # noqa: PLC0415

    answers = ["the cat sat on the mat .", "a dog barks", "nothing at all"]
    targets = ["the cat sat on a mat .", "the dog barks loudly", "nothing at all in here"]
    made = counts("bleu", list(zip(answers, targets, strict=True)))
    assert METRICS["bleu"].score(made.sum(axis=0)) == pytest.approx(
        corpus_bleu(answers, [targets]).score
    )


def test_the_interval_holds_the_value_and_narrows_with_examples() -> None:
    generator = np.random.default_rng(0)
    right = (generator.random(4000) < 0.8).astype(float)
    made = np.stack([right, np.ones(4000)], axis=1)
    few, many = (scored(METRICS["accuracy"], made[:count]) for count in (200, 4000))
    assert few.low < few.value < few.high
    assert (many.high - many.low) * 3 < few.high - few.low
    # of a share p of N, the interval is about p ± 1.96 √(p(1-p)/N)
    assert many.high - many.low == pytest.approx(2 * 1.96 * math.sqrt(0.16 / 4000), rel=0.15)
    with pytest.raises(DataError, match="no examples"):
        scored(METRICS["accuracy"], made[:0])


def test_nothing_is_worse_than_nan() -> None:
    loss, accuracy = METRICS["loss"], METRICS["accuracy"]
    assert loss.better(1.0, 2.0)
    assert not loss.better(2.0, 1.0)
    assert accuracy.better(0.9, 0.8)
    assert loss.better(3.0, math.nan)
    assert not loss.better(math.nan, 3.0)
    assert not loss.better(math.nan, math.nan)
