"""How sure a figure over several seeds is, and what a comparison says of it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loquent.runs.advice import advice
from loquent.runs.comparison import Comparison, Row
from loquent.runs.figures import Figure, figure, wilson
from loquent.runs.measures import Writing


def test_the_interval_of_seeds_is_students() -> None:
    """Student 1908: mean ± t(0.975, n − 1) s/√n, where examples add nothing."""
    values = [1.0, 2.0, 4.0]
    found = figure(values, [(value, value) for value in values], 50)
    half = 4.302653 * np.std(values, ddof=1) / 3**0.5
    assert found.value == pytest.approx(7 / 3)
    assert (found.low, found.high) == pytest.approx((7 / 3 - half, 7 / 3 + half), abs=1e-3)
    assert (found.seeds, found.examples) == (3, 50)


def test_one_seed_has_the_interval_of_its_examples() -> None:
    assert figure([0.5], [(0.3, 0.6)], 10) == Figure(0.5, 0.3, 0.6, 1, 10)


@pytest.mark.parametrize("seeds", [2, 3, 5, 40])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int) -> None:
    """Values with an error of the seed and one that all seeds share, that of the examples."""
    generator = np.random.default_rng(seeds)
    within = 0
    for _ in range(4000):
        common = generator.normal(0, 0.1)
        values = common + generator.normal(0, 0.1, seeds)
        bounds = [(value - 0.196, value + 0.196) for value in values]
        found = figure(list(values), bounds, 100)
        within += found.low <= 0 <= found.high
    assert within / 4000 > 0.94


@pytest.mark.parametrize("shared", [0.0, 0.05])
def test_equal_networks_are_told_apart_as_seldom_as_said(shared: float) -> None:
    """Of two, one is better by mistake in 5 % at most; of six, so is the first."""
    generator = np.random.default_rng(3)
    pairs = winners = 0
    for _ in range(1500):
        common = generator.normal(0, shared)
        found = []
        for _ in range(6):
            mine = common + generator.normal(0, 0.05)
            values = mine + generator.normal(0, 0.1, 3)
            half = 1.96 * math.hypot(shared, 0.05)
            found.append(figure(list(values), [(each - half, each + half) for each in values], 99))
        pairs += found[0].differs(found[1])
        first, *others = sorted(found, key=lambda each: each.value)
        winners += all(first.differs(each) for each in others)
    assert pairs / 1500 < 0.05
    assert winners / 1500 < 0.05


def test_what_lies_far_enough_apart_differs_though_the_intervals_touch() -> None:
    one, other = Figure(0.90, 0.87, 0.93, 3, 400), Figure(0.85, 0.81, 0.88, 3, 400)
    assert one.differs(other)
    assert other.differs(one)
    assert not one.differs(Figure(0.87, 0.84, 0.90, 3, 400))
    assert not one.differs(one)


def test_wilsons_interval_is_no_point_where_all_are_right() -> None:
    """The values of Wilson's formula that Brown, Cai and DasGupta 2001 discuss."""
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def row(label: str, value: float, half: float, **more: object) -> Row:
    made = Row(
        label=label,
        network=label,
        size="tiny",
        parameters=1000,
        seeds=(1, 2, 3),
        scores={"loss": Figure(value, value - half, value + half, 3, 100)},
        steps=10.0,
        tokens=100.0,
        seconds=1.0,
        tokens_per_second=100.0,
        memory_bytes=1 << 20,
        context=0,
        writing=(),
    )
    return replace(made, **more)


def comparison(*rows: Row, **more: object) -> Comparison:
    made = Comparison(
        folder=Path("few"),
        task="generate",
        metric="loss",
        part="validation",
        budget={"steps": 10},
        rows=rows,
        unfinished={},
    )
    return replace(made, **more)


def test_the_best_is_recommended_only_where_it_is_better_for_sure() -> None:
    told = advice(comparison(row("gru", 1.0, 0.1), row("rnn", 2.0, 0.1)))
    assert told[0].startswith("Take gru: its loss of 1 (0.9 to 1.1) is better")
    told = advice(comparison(row("gru", 1.0, 0.5), row("rnn", 1.2, 0.5, parameters=10)))
    assert told[0].startswith("There is no winner")
    assert "rnn is the smallest" in told[0]
    alone = comparison(row("gru", 1.0, 0.1, seeds=(1,)), row("rnn", 2.0, 0.1))
    assert advice(alone)[0].startswith("No network is recommended: gru has one seed only")
    assert "nothing to choose" in advice(comparison(row("gru", 1.0, 0.1)))[0]


def test_what_is_recalled_and_how_writing_slows_down_is_told() -> None:
    def recall(share: float) -> dict[int, Figure]:
        return {64: Figure(share, share - 0.05, share + 0.05, 3, 100)}

    def writing(*speeds: float) -> tuple[Writing, ...]:
        return tuple(
            Writing(tokens=n, runtime="torch", precision="float32", tokens_per_second=speed)
            for n, speed in zip((16, 512), speeds, strict=True)
        )

    found = comparison(
        row("transformer", 1.0, 0.1, recall=recall(0.95), writing=writing(100, 50), context=512),
        row("lstm", 2.0, 0.1, recall=recall(0.3), writing=writing(100, 99)),
        row("rnn", 3.0, 0.1, recall=recall(0.1), writing=writing(100, 101)),
        unfinished={"conv-1": "its process was ended by SIGKILL"},
    )
    told = "\n".join(advice(found))
    assert "64 tokens ago is recalled by transformer, 95% (90% to 100%)" in told
    assert "recalled in part by lstm" in told
    assert "not by rnn" in told
    assert "the slower write transformer (512 tokens at 50% of the speed of 16)" in told
    assert "lstm and rnn can go on for ever" in told
    assert "conv-1: its process was ended by SIGKILL" in told
