"""Plans: defaults, faults, settings from the command line, and what may change in a folder."""

from dataclasses import replace

import pytest

from loquent.errors import ConfigError
from loquent.runs.differences import differences
from loquent.runs.networks import NETWORKS, ignored
from loquent.runs.plan import plain, planned
from loquent.runs.presets import BUCKETS, model_config
from loquent.runs.values import assigned, merged, read_values
from loquent.tasks import TASKS

LEAST = {"task": "generate", "out": "run", "data": {"train": "text.txt"}}


def test_a_short_plan_has_the_presets_of_its_task_and_network() -> None:
    plan = planned(LEAST)
    assert plan.data.train == ("text.txt",)
    assert plan.network.kind == "transformer"
    assert plan.training.rate == NETWORKS["transformer"].rate["tiny"]
    assert plan.training.epochs == TASKS["generate"].training["epochs"]
    other = planned({**LEAST, "network": {"kind": "lstm", "size": "small"}})
    assert other.training.rate == NETWORKS["lstm"].rate["small"]
    assert planned({**LEAST, "task": "classify"}).network.kind == "lstm"


def test_a_given_budget_replaces_the_presets() -> None:
    plan = planned({**LEAST, "training": {"minutes": 3}})
    assert (plan.training.minutes, plan.training.epochs) == (3, 0)


def test_tuning_has_presets_of_its_own() -> None:
    plan = planned({**LEAST, "start": {"model": "gpt2"}})
    assert plan.training.rate < 1e-4
    assert planned({**LEAST, "start": {"model": "gpt2", "lora": 8}}).training.rate > 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "generat"}, "no task 'generat'. Did you mean 'generate'"),
        ({"training": {"rat": 1.0}}, "unknown key 'rat'. Did you mean 'rate'"),
        ({"trainin": {}}, "unknown key 'trainin'. Did you mean 'training'"),
        (
            {"network": {"kind": "transfomer"}},
            "no network 'transfomer'. Did you mean 'transformer'",
        ),
        ({"network": {"size": "huge"}}, "network.size"),
        ({"network": {"kind": "bag"}}, "'bag' cannot be trained to generate"),
        ({"network": {"width": -1}}, "must not be negative"),
        ({"network": {"dropout": 1.0}}, "dropout must be below 1"),
        (
            {"network": {"kind": "gru", "heads": 2, "feedforward": 64}},
            "network.feedforward does nothing to the network 'gru'",
        ),
        ({"network": {"layers": 2}, "start": {"model": "x"}}, "network.layers is for new networks"),
        ({"network": {"dropout": float("nan")}}, "dropout must be below 1"),
        (
            {"task": "classify", "network": {"kind": "bag", "attention_dropout": 0.1}},
            "network.attention_dropout does nothing to the network 'bag'",
        ),
        ({"network": {"attention_dropout": 1.0}}, "attention_dropout must be below 1"),
        (
            {"network": {"kind": "lstm", "attention_dropout": 0.1}},
            "network.attention_dropout does nothing to the network 'lstm'",
        ),
        ({"network": {"pooling": "max"}}, "network.pooling does nothing to generate"),
        ({"network": {"pooling": "max"}, "start": {"model": "x"}}, "start.pooling"),
        (
            {"network": {"ngrams": [2]}},
            "'transformer' has no n-grams. Networks that have: bag.",
        ),
        ({"network": {"buckets": 9}}, "buckets does nothing without n-grams"),
        ({"network": {"kind": "bag", "ngrams": 2}, "start": {"model": "x"}}, "is for new networks"),
        ({"network": {"kind": "bag", "ngrams": [2, 9]}}, "ngrams are of 2 to 8 tokens"),
        ({"network": {"kind": "bag", "ngrams": 2, "buckets": -1}}, "buckets must be from 1 to"),
        ({"data": {}}, "key 'train' is missing"),
        ({"data": {"train": []}}, "names no file"),
        ({"data": {"train": "a", "validation_share": 1.0}}, "leave something to learn"),
        ({"data": {"train": "a", "source": "de"}}, "named together"),
        ({"data": {"train": "a", "length": -1}}, "sizes must not be negative"),
        ({"evaluate": {"metric": "accurac"}}, "generate has no metric 'accurac'"),
        ({"start": {"lora": 4}}, "lora changes a model that is there"),
        ({"start": {"lora": -4, "model": "x"}}, "lora must be a rank"),
        ({"out": ""}, "the run needs a folder"),
        ({"training": {"steps": "many"}}, "training.steps"),
    ],
)
def test_faults_are_named(change: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planned({**LEAST, **change})
    assert message in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        planned({**LEAST, "training": {"rat": 1}, "save": {"kep": 2}, "data": {}})
    assert all(name in str(caught.value) for name in ("'rat'", "'kep'", "'train'"))


def test_settings_of_the_command_line() -> None:
    assert assigned("training.rate=3e-4") == {"training": {"rate": 3e-4}}
    assert assigned("data.train=['a', 'b']") == {"data": {"train": ["a", "b"]}}
    assert assigned("network.kind=lstm") == {"network": {"kind": "lstm"}}
    for wrong in ("training.rate", "=3", "a..b=1"):
        with pytest.raises(ConfigError, match="is not NAME=VALUE"):
            assigned(wrong)
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}


def test_a_plan_survives_its_writing() -> None:
    plan = planned({**LEAST, "training": {"steps": 5}, "network": {"kind": "gru"}})
    assert planned(plain(plan)) == plan


def test_files_of_settings(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('task = "generate"\n[data]\ntrain = "a.txt"\n')
    assert read_values(path) == {"task": "generate", "data": {"train": "a.txt"}}
    path.write_text("task = \n")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_values(path)
    with pytest.raises(ConfigError, match="no such file"):
        read_values(tmp_path / "none.toml")


def test_only_a_budget_may_grow_in_a_folder() -> None:
    plan = planned({**LEAST, "training": {"steps": 100}})
    there = plain(plan)

    def changed(**fields):
        return differences(there, replace(plan, training=replace(plan.training, **fields)))

    assert differences(there, plan) == []
    assert changed(steps=200) == []
    assert changed(steps=50) == ["training.steps is 100 there, but 50 is asked for"]
    assert changed(rate=1.0) == [
        f"training.rate is {plan.training.rate} there, but 1.0 is asked for"
    ]
    assert changed(steps=100, minutes=5.0) == [
        "training.minutes is 0.0 there, but 5.0 is asked for"
    ]
    assert differences(there, replace(plan, device="cuda", out="elsewhere")) == []


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_can_be_described_in_every_size(kind: str) -> None:
    for size, shape in NETWORKS[kind].shapes.items():
        for stacks in NETWORKS[kind].stacks:
            output = "class" if stacks == "encoder" else "token"
            labels = ("a", "b") if stacks == "encoder" else ()
            config = model_config(
                kind,
                shape,
                stacks,
                output=output,
                vocabulary=100,
                length=64,
                dropped={"dropout": 0.1},
                labels=labels,
            )
            assert (config.encoder is None) == (stacks == "decoder"), size
            assert (config.decoder is None) == (stacks == "encoder"), size
            made = [each for each in (config.encoder, config.decoder) if each is not None]
            assert all(stack.dropout == 0.1 for stack in made)


def test_settings_that_change_nothing_are_known_of_every_network() -> None:
    """What is not ignored changes the description; what is does not."""
    for kind, network in NETWORKS.items():
        for stacks in ("decoder", "encoder", "both"):
            found = ignored(kind, stacks)
            assert ("heads" in found) == (kind not in {"transformer", "gpt2", "attention"})
            attends = "heads" not in found or (stacks == "both" and "both" in network.stacks)
            assert ("attention_dropout" in found) == (not attends or kind == "bahdanau")
            assert ("layers" in found) == (kind == "bag")
            assert "width" not in found


def test_pooling_is_the_networks_or_as_a_plan_says() -> None:
    def described(pooling):
        shape = NETWORKS["lstm"].shapes["tiny"]
        labels = ("a", "b")
        return model_config(
            "lstm", shape, "encoder", output="class", vocabulary=9, length=9,
            dropped={"dropout": 0.1}, labels=labels, pooling=pooling,
        )  # fmt: skip

    assert described("").pooling == NETWORKS["lstm"].pooling == "max"
    assert described("mean").pooling == "mean"


def test_ngrams_are_a_bags_and_share_as_many_vectors_as_a_plan_says() -> None:
    def described(**settings):
        asked = planned(
            LEAST | {"task": "classify", "network": {"kind": "bag", **settings}}
        ).network
        return model_config(
            "bag", NETWORKS["bag"].shapes["tiny"], "encoder", output="class", vocabulary=9,
            length=9, dropped={"dropout": 0.1}, labels=("a", "b"),
            ngrams=asked.ngrams, buckets=asked.buckets,
        )  # fmt: skip

    assert (described().encoder.ngrams, described().encoder.buckets) == ((), 0)
    assert described(ngrams=2).encoder.ngrams == (2,)
    two = described(ngrams=[2, 3]).encoder
    assert (two.ngrams, two.buckets) == ((2, 3), BUCKETS)
    assert described(ngrams=[2], buckets=50).encoder.buckets == 50
