"""Which networks a comparison is of, and what of them must be alike."""

from pathlib import Path
from typing import Any

import pytest

from loquent.errors import ConfigError
from loquent.runs.grid import NETWORKS_COMPARED, Grid, entries, step_of
from loquent.runs.preparing import prepared, widened
from loquent.runs.readiness import silent
from loquent.runs.values import merged


@pytest.fixture
def values(corpus: Path, tmp_path: Path) -> dict[str, Any]:
    """A plan that names no network."""
    return {
        "task": "generate",
        "out": str(tmp_path / "few"),
        "data": {"train": str(corpus / "text.txt"), "length": 16},
        "tokenizer": {"kind": "char"},
        "training": {"steps": 3},
        "device": "cpu",
    }


def test_one_plan_gives_every_family(values) -> None:
    made = entries([values], Grid())
    assert [entry.label for entry in made] == list(NETWORKS_COMPARED)
    assert [entry.plan.network.kind for entry in made] == list(NETWORKS_COMPARED)
    with pytest.raises(ConfigError, match="'bag' cannot be trained to generate"):
        entries([values], Grid(networks=("gru", "bag")))


def test_a_named_network_stands_alone_and_a_grid_has_every_size(values) -> None:
    named = merged(values, {"network": {"kind": "gru"}})
    assert [entry.label for entry in entries([named], Grid())] == ["gru"]
    grid = Grid(networks=("gru", "conv"), sizes=("tiny", "small"))
    made = entries([values], grid)
    assert [e.label for e in made] == ["gru-tiny", "conv-tiny", "gru-small", "conv-small"]
    assert len({(e.plan.data.length, e.plan.tokenizer.size) for e in made}) == 1


def test_sizes_are_for_the_networks_that_have_them(values) -> None:
    asked = merged(values, {"network": {"heads": 2, "layers": 1}})
    made = {each.label: each.plan.network for each in entries([asked], Grid())}
    assert {name: each.heads for name, each in made.items() if each.heads} == {
        "attention": 2, "transformer": 2,
    }  # fmt: skip
    assert all(each.layers == 1 for each in made.values())
    unset = merged(values, {"network": {"heads": 0}})
    assert len(entries([unset], Grid(networks=("rnn", "gru")))) == 2
    with pytest.raises(ConfigError, match=r"network\.heads does nothing to rnn, gru, lstm"):
        entries([asked], Grid(networks=("rnn", "gru", "lstm")))


def test_seeds_are_runs_of_their_own_that_differ_in_nothing_else(values) -> None:
    entry = entries([values], Grid())[0]
    first, second = entry.seeded(0), entry.seeded(1)
    assert Path(first.out).name == f"rnn-{entry.plan.training.seed}"
    assert second.training.seed == first.training.seed + 1
    assert (second.network, second.data) == (first.network, first.data)


def test_what_cannot_be_compared_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        Grid(networks=("lstn", "gru", "gru"), sizes=("tinny",), gaps=(0,), seeds=0, parameters=-1)
    for part in ("'lstn'", "'lstm'", "the same twice", "'tinny'", "gaps", "seeds", "parameters"):
        assert part in str(told.value)


def test_plans_of_other_data_or_budgets_are_no_comparison(values, tmp_path) -> None:
    def plan(name: str, **changes: Any) -> Path:
        made = merged(values, changes)
        lines = [f"task = {made['task']!r}", f"out = {made['out']!r}", "device = 'cpu'"]
        for part in ("data", "tokenizer", "network", "training"):
            lines += [f"[{part}]", *(f"{key} = {value!r}" for key, value in made[part].items())]
        path = tmp_path / f"{name}.toml"
        path.write_text("\n".join(lines))
        return path

    one = plan("one", network={"kind": "gru"})
    same = plan("same", network={"kind": "conv"}, training={"rate": 0.5})
    assert [entry.label for entry in entries([one, same], Grid())] == ["one", "same"]
    other = plan("other", network={"kind": "conv"}, training={"steps": 4}, data={"length": 8})
    with pytest.raises(ConfigError) as told:
        entries([one, other], Grid())
    assert "other has data.length 8, but one has 16" in str(told.value)
    assert "other has training.steps 4, but one has 3" in str(told.value)
    with pytest.raises(ConfigError, match="several plans say themselves"):
        entries([one, same], Grid(networks=("gru",)))


def test_networks_become_so_wide_that_they_have_the_parameters(values, tmp_path) -> None:
    grid = Grid(parameters=100_000)
    made = entries([values], grid)
    ready = prepared(made[0].seeded(0), tmp_path / "shared", silent)
    for entry in widened(made, ready, grid.parameters):
        network = entry.plan.network
        assert network.width % step_of(network.heads) == 0
    widths = {e.label: e.plan.network.width for e in widened(made, ready, 100_000)}
    more = {e.label: e.plan.network.width for e in widened(made, ready, 400_000)}
    assert all(more[label] > width for label, width in widths.items())
    assert widths["rnn"] > widths["lstm"]  # which has four gates where the other has one
    with pytest.raises(ConfigError, match="cannot have about 10 parameters"):
        widened(made, ready, 10)


def test_a_given_width_and_given_parameters_are_refused(values) -> None:
    wide = merged(values, {"network": {"width": 16}})
    with pytest.raises(ConfigError, match="so parameters cannot decide it"):
        entries([wide], Grid(parameters=1000))
