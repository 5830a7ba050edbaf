"""Rates and budgets at points that can be worked out by hand."""

import math

import pytest

from loquent.errors import ConfigError
from loquent.training.schedule import Done, rate_at, share_of_budget
from loquent.training.settings import TrainingConfig


def rate(schedule: str, share: float, **settings) -> float:
    config = TrainingConfig(**{"rate": 2.0, "warmup": 0.1, "schedule": schedule, **settings})
    return rate_at(config, share, steps=1000 * share)


@pytest.mark.parametrize(
    ("schedule", "settings", "points"),
    [
        ("constant", {}, {0: 0, 0.05: 1, 0.1: 2, 0.7: 2, 1: 2}),
        ("linear", {}, {0: 0, 0.05: 1, 0.1: 2, 0.55: 1.1, 1: 0.2}),
        ("linear", {"final_rate": 0.0, "warmup": 0.0}, {0: 2, 0.25: 1.5, 1: 0}),
        ("cosine", {}, {0: 0, 0.1: 2, 0.55: 1.1, 0.325: 0.2 + 0.9 * (1 + math.sqrt(0.5)), 1: 0.2}),
        ("inverse_sqrt", {}, {0: 0, 0.05: 1, 0.1: 2, 0.4: 1, 0.9: 2 / 3}),
        ("inverse_sqrt", {"warmup": 100}, {0.05: 1, 0.1: 2, 0.4: 1}),  # steps: 1000 in all
        ("wsd", {}, {0: 0, 0.05: 1, 0.5: 2, 0.8: 2, 0.9: 2 * math.sqrt(0.1), 1: 0.2}),
        ("wsd", {"decay": 0.5, "final_rate": 0.25}, {0.5: 2, 0.75: 1, 1: 0.5}),
        ("constant", {"warmup": 200}, {0.1: 1, 0.2: 2, 1: 2}),
        ("constant", {"warmup": 5000}, {0.5: 0.2, 1: 0.4}),  # a warmup that never ends
        ("cosine", {"warmup": 5000}, {0.5: 0.2, 1: 0.4}),
    ],
)
def test_rates_at_known_points(schedule, settings, points):
    for share, expected in points.items():
        assert rate(schedule, share, **settings) == pytest.approx(expected, abs=1e-12), share


def test_a_warmup_in_steps_follows_the_pace_of_a_run_that_is_measured_otherwise():
    config = TrainingConfig(rate=1.0, warmup=100, schedule="linear", final_rate=0.0, minutes=1)
    # 50 steps took 10 % of the time, so the warmup of 100 steps takes 20 % of it
    assert rate_at(config, 0.1, steps=50) == pytest.approx(0.5)
    assert rate_at(config, 0.2, steps=100) == pytest.approx(1.0)
    assert rate_at(config, 0.6, steps=300) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("settings", "done", "share"),
    [
        ({"steps": 10}, Done(steps=3), 0.3),
        ({"tokens": 1000}, Done(tokens=250), 0.25),
        ({"minutes": 2}, Done(seconds=30), 0.25),
        ({"epochs": 2.5}, Done(epochs=1), 0.4),
        ({"steps": 10, "minutes": 1}, Done(steps=3, seconds=45), 0.75),
        ({"steps": 10, "minutes": 1}, Done(steps=9, seconds=1), 0.9),
        ({"steps": 10}, Done(steps=25), 1.0),
    ],
)
def test_the_budget_that_is_used_up_the_most_counts(settings, done, share):
    assert share_of_budget(TrainingConfig(**settings), done) == pytest.approx(share)


def test_a_run_without_an_end_is_refused():
    with pytest.raises(ConfigError, match="steps, epochs, tokens or minutes"):
        TrainingConfig().check_budget()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rate": 0}, "rate must be above 0"),
        ({"rate": float("nan")}, "rate must be above 0"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"clip": -1}, "clip"),
        ({"schedule": "inverse_sqrt", "warmup": 0}, "needs a warmup"),
        ({"schedule": "wsd", "final_rate": 0}, "exponentially"),
        ({"label_smoothing": 1}, "label_smoothing"),
        ({"ema": 1}, "ema"),
        ({"steps": -1, "minutes": -1, "tokens": -1, "epochs": -1}, "4 faults"),
        ({"sharded": True, "optimizer": "muon"}, "sharded"),
        ({"momentum": 1, "weight_decay": -1, "micro_batch": -1, "decay": 0}, "4 faults"),
        ({"warmup": -1, "final_rate": 2, "epsilon": 0}, "3 faults"),
    ],
)
def test_impossible_settings_are_refused(settings, told):
    with pytest.raises(ConfigError, match=told):
        TrainingConfig(**settings)
