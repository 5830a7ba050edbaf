"""Metrics of classes, chances and rankings equal those of scikit-learn."""

import math
from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as reference

from loquent.metrics import METRICS, CountTable
from loquent.metrics.chances import BINS, bins, curve, temperature
from loquent.metrics.classes import by_class


def tables(count: int):
    """Tables of answers and targets: few and many classes, some never named or meant."""
    generator = np.random.default_rng(11)
    for number in range(count):
        classes = int(generator.integers(2, 7))
        size = int(generator.choice([1, 2, 3, 8, 30, 60]))
        targets = generator.integers(0, generator.integers(1, classes + 1), size)
        right = generator.random(size) < generator.choice([0, 0.3, 0.8, 1])
        answers = np.where(right, targets, generator.integers(0, classes, size))
        yield number, classes, answers, targets


def value(name: str, answers: np.ndarray, targets: np.ndarray, classes: int) -> float:
    metric = METRICS[name]
    rows = [
        metric.count(answers[i : i + 1], targets[i : i + 1], classes) for i in range(len(answers))
    ]
    return metric.score(np.sum(rows, axis=0, dtype=float))


@pytest.mark.filterwarnings("ignore:A single label was found")
def test_classes_are_judged_as_by_scikit_learn() -> None:
    told = 0
    for _, classes, answers, targets in tables(160):
        told += len(targets)
        seen = sorted({*answers.tolist(), *targets.tolist()})
        whole = {"labels": seen, "zero_division": 0}
        expected = {
            "accuracy": reference.accuracy_score(targets, answers),
            "mcc": reference.matthews_corrcoef(targets, answers),
        }
        for average in ("macro", "micro"):
            names = ("precision", "recall", "f1")
            made = reference.precision_recall_fscore_support(
                targets, answers, average=average, **whole
            )
            end = "" if average == "macro" else "_micro"
            expected |= {f"{name}{end}": each for name, each in zip(names, made[:3], strict=True)}
        for name, each in expected.items():
            assert value(name, answers, targets, classes) == pytest.approx(each, abs=1e-12), name
    assert told > 2000


def test_each_class_has_its_own_figures() -> None:
    for _, classes, answers, targets in tables(100):
        metric = METRICS["f1"]
        made = by_class(np.asarray(metric.count(answers, targets, classes), float))
        theirs = reference.precision_recall_fscore_support(
            targets, answers, labels=range(classes), zero_division=np.nan
        )
        assert np.allclose(made, np.stack(theirs, axis=1), equal_nan=True, atol=1e-12)


def chances(generator: np.random.Generator, size: int, classes: int):
    targets = generator.integers(0, classes, size)
    logits = generator.normal(0, 2, (size, classes))
    logits[np.arange(size), targets] += generator.choice([0, 1, 3])
    made = np.exp(logits)
    return made / made.sum(axis=1, keepdims=True), targets, logits


def totals(name: str, likely: np.ndarray, targets: np.ndarray) -> np.ndarray:
    metric, table = METRICS[name], CountTable()
    for row, target in zip(likely, targets, strict=True):
        table.add(metric.count(row, int(target), likely.shape[1]))
    return table.total()


@pytest.mark.parametrize("tables", [60, pytest.param(2000, marks=pytest.mark.long)])
def test_areas_are_those_of_scikit_learn_on_the_bins(tables: int) -> None:
    generator = np.random.default_rng(2)
    for number in range(tables):
        classes = int(generator.choice([2, 2, 3, 5]))
        likely, targets, _ = chances(generator, int(generator.choice([3, 10, 60])), classes)
        if number % 7 == 0:
            likely = likely.round(1)  # ties, zeros and ones
        placed = bins(likely)
        for name, theirs in (
            ("roc_area", reference.roc_auc_score),
            ("pr_area", reference.average_precision_score),
        ):
            own = [
                theirs(targets == each, placed[:, each])
                for each in ([1] if classes == 2 else range(classes))
                if 0 < (targets == each).sum() < len(targets)
            ]
            made = METRICS[name].score(totals(name, likely, targets))
            if not own:
                assert math.isnan(made)
                continue
            assert made == pytest.approx(np.mean(own), abs=1e-12)
    assert bins(np.array([0.0, 0.5, 1.0])).tolist() == [0, BINS // 2, BINS - 1]


def test_large_areas_lie_within_a_thousandth_of_exact_ones() -> None:
    generator = np.random.default_rng(3)
    likely, targets, _ = chances(generator, 4000, 2)
    exact = reference.roc_auc_score(targets, likely[:, 1])
    assert METRICS["roc_area"].score(totals("roc_area", likely, targets)) == pytest.approx(
        exact, abs=1e-3
    )
    exact = reference.average_precision_score(targets, likely[:, 1])
    assert METRICS["pr_area"].score(totals("pr_area", likely, targets)) == pytest.approx(
        exact, abs=2e-3
    )


def test_the_calibration_error_is_that_of_its_definition() -> None:
    generator = np.random.default_rng(4)
    for _ in range(2000):
        likely, targets, _ = chances(generator, 50, 3)
        told, sure = likely.argmax(axis=1), likely.max(axis=1)
        edges = np.linspace(0, 1, 16)
        expected = 0.0
        for low, high in pairwise(edges):
            inside = (sure > low) & (sure <= high)
            if inside.any():
                gap = abs((told == targets)[inside].mean() - sure[inside].mean())
                expected += inside.mean() * gap
        made = totals("calibration_error", likely, targets)
        assert METRICS["calibration_error"].score(made) == pytest.approx(expected, abs=1e-12)
        assert sum(each.examples for each in curve(made)) == 50
        assert all(0 <= each.accuracy <= 1 for each in curve(made))


def test_temperature_makes_the_targets_likeliest() -> None:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    generator = np.random.default_rng(5)
    logits = generator.normal(0, 2, (3000, 2))
    odds = logits[:, 1] - logits[:, 0]
    targets = (generator.random(3000) < 1 / (1 + np.exp(-odds))).astype(int)
    found = temperature(3 * logits, targets)
    # of two classes the inverse is the slope of a regression through the origin
    gaps = 3 * odds[:, None]
    slope = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-10).fit(gaps, targets).coef_
    assert found == pytest.approx(1 / float(slope[0, 0]), rel=1e-4)
    assert temperature(logits / 7, targets) == pytest.approx(found / 21, rel=1e-5)


def test_rankings_are_judged_as_by_scikit_learn() -> None:
    generator = np.random.default_rng(6)
    for number in range(2000):
        size = int(generator.integers(2, 25))
        gains = generator.integers(0, 4, size).astype(float) * (generator.random(size) < 0.4)
        scores = generator.permutation(size).astype(float)
        found = np.argsort(-scores).tolist()
        meant = {int(place): float(gain) for place, gain in enumerate(gains)}
        made = {
            name: METRICS[name].score(np.array(METRICS[name].count(found, meant, 0)))
            for name in ("ndcg@10", "mrr", "recall@1", "recall@5")
        }
        if not gains.any():
            assert math.isnan(made["ndcg@10"]) and math.isnan(made["recall@5"])
            assert made["mrr"] == 0
            continue
        right = gains > 0
        first = min(place for place, each in enumerate(found, 1) if right[each])
        assert made["mrr"] == 1 / first
        assert made["recall@1"] == right[found[:1]].sum() / right.sum()
        assert made["recall@5"] == right[found[:5]].sum() / right.sum()
        discounts = np.log2(np.arange(2, 12))
        most = (np.sort(gains)[::-1][:10] / discounts[:size]).sum()
        expected = (gains[found][:10] / discounts[:size]).sum() / most
        assert made["ndcg@10"] == pytest.approx(expected, abs=1e-12)
        if number % 10 == 0:  # scikit-learn takes milliseconds for each
            theirs = reference.ndcg_score([gains], [scores], k=10)
            assert made["ndcg@10"] == pytest.approx(theirs, abs=1e-12)
            only = np.zeros(size, int)  # with one right one it is their precision of rankings
            only[found[first - 1]] = 1
            expected = reference.label_ranking_average_precision_score([only], [scores])
            alone = METRICS["mrr"].count(found, {found[first - 1]: 1.0}, 0)
            assert alone == (pytest.approx(expected), 1.0)
