"""New networks that begin with another model's tokenizer and vectors of tokens."""

import json
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.checkpoints import hub
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import ConfigError
from loquent.runs import execute
from loquent.runs.grid import Grid, entries
from loquent.runs.plan import plain, planned
from loquent.runs.recall import recall_plan
from loquent.runs.values import over


def begun(plan, corpus: Path, base: Path, **changes):
    values = {
        "task": "classify",
        "data": {"train": str(corpus / "classes.jsonl"), "length": 64},
        "network": {"kind": "lstm", "width": 0},
        "start": {"embedding": str(base)},
    }
    return plan(**{**values, **changes})


@pytest.mark.parametrize("kind", ["lstm", "bag", "conv"])
def test_a_run_begins_with_a_models_vectors_and_tokenizer(plan, corpus, tiny_bert, kind) -> None:
    base = tiny_bert("BertModel")
    frozen = {"embedding": str(base), "freeze": ["encoder.embedding.*"]}
    made = begun(plan, corpus, base, network={"kind": kind, "width": 0}, start=frozen)
    notes: list[str] = []
    execute.run(made, on_note=notes.append)
    source, opened = Checkpoint.open(base), Checkpoint.open(hub.resolve(made.out))
    assert opened.tokenizer.encode("Paris is poor") == source.tokenizer.encode("Paris is poor")
    theirs = source.weights["encoder.embedding.weight"]
    ours = opened.weights["encoder.embedding.weight"]
    centered = theirs - theirs.mean(axis=0)
    scale = ours.std() / centered.std()
    assert np.allclose(ours, centered * scale, atol=1e-6)  # none of them learned
    assert any(f"32 of {base}" in note for note in notes)
    assert f"| tokenizer and first vectors | {base} |" in (Path(made.out) / "README.md").read_text()
    assert loquent.classify("fine the cat", model=made.out).label in "ny"


def test_vectors_that_may_learn_do_and_the_run_goes_on(plan, corpus, tiny_bert) -> None:
    made = begun(plan, corpus, tiny_bert("BertModel"))
    steps: list[int] = []
    execute.run(made, on_step=lambda step: steps.append(step.number), stop=lambda: len(steps) == 6)
    execute.run(planned(plain(made)))
    whole = begun(plan, corpus, tiny_bert("BertModel"), out=f"{made.out}-whole")
    execute.run(whole)
    first, second = (Checkpoint.open(hub.resolve(each.out)).weights for each in (made, whole))
    assert all(np.array_equal(first[name], second[name]) for name in second)
    theirs = Checkpoint.open(tiny_bert("BertModel")).weights["encoder.embedding.weight"]
    learned, drawn = second["encoder.embedding.weight"], theirs - theirs.mean(axis=0)
    same = np.corrcoef(learned.ravel(), drawn.ravel())[0, 1]
    assert 0.5 < same < 0.9999


@pytest.mark.parametrize("task", ["generate", "fill", "translate"])
def test_every_task_on_texts_can_begin_so(plan, corpus, tiny_bert, task) -> None:
    data = {"train": str(corpus / ("pairs" if task == "translate" else "text.txt"))}
    data |= {"source": "a", "target": "b", "length": 0} if task == "translate" else {}
    base = tiny_bert("BertModel")
    made = begun(
        plan, corpus, base, task=task, data=data, network={"kind": "transformer", "width": 0}
    )
    result = execute.run(made)
    opened = Checkpoint.open(hub.resolve(made.out))
    assert result.steps == 12
    assert opened.config.vocabulary == Checkpoint.open(base).tokenizer.vocabulary
    assert opened.config.top.width == 32


def test_a_model_of_two_tokenizers_is_no_beginning(plan, corpus) -> None:
    pairs = {"train": str(corpus / "pairs"), "source": "a", "target": "b", "length": 0}
    own = {"kind": "char", "joint": False}
    translator = plan(
        task="translate", data=pairs, tokenizer=own, network={"kind": "transformer"},
        evaluate={"every": 0, "texts": 4},
    )  # fmt: skip
    execute.run(translator)
    made = begun(plan, corpus, Path(translator.out), out=f"{translator.out}-begun")
    with pytest.raises(ConfigError, match="has two tokenizers"):
        execute.run(made)


def test_a_run_of_before_there_was_a_setting_goes_on(plan) -> None:
    made = plan()
    execute.run(made, stop=lambda: True)
    path = Path(made.out) / "run.json"
    card = json.loads(path.read_text())
    del card["plan"]["start"]["embedding"], card["plan"]["evaluate"]
    path.write_text(json.dumps(card))
    with pytest.raises(ConfigError, match=r"evaluate is not set there"):
        execute.run(made)
    card["plan"]["evaluate"] = plain(made)["evaluate"]
    path.write_text(json.dumps(card))
    assert execute.run(made).steps == 12


def test_what_vectors_decide_cannot_be_asked_otherwise(plan, corpus, tiny_bert) -> None:
    base = tiny_bert("BertModel")
    with pytest.raises(ConfigError, match=r"width is 16, but the vectors have 32"):
        execute.run(begun(plan, corpus, base, network={"kind": "lstm", "width": 16}))
    with pytest.raises(ConfigError, match=r"tokenizer\.kind does nothing beside start\.embedding"):
        begun(plan, corpus, base, tokenizer={"kind": "char"})
    with pytest.raises(ConfigError, match="has its own"):
        begun(plan, corpus, base, start={"embedding": str(base), "model": str(base)})
    with pytest.raises(ConfigError, match="does nothing to command"):
        plan(task="command", start={"embedding": str(base)}, data={"train": "sounds.jsonl"})


def test_what_a_model_that_is_there_decides_cannot_be_asked_otherwise(tiny_bert) -> None:
    values = {
        "task": "classify",
        "out": "run",
        "data": {"train": "x.jsonl"},
        "start": {"model": str(tiny_bert("BertModel"))},
    }
    assert planned(plain(planned(values))) == planned(values)
    wrong = {**values, "network": {"kind": "gru"}, "tokenizer": {"size": 99, "lowercase": True}}
    with pytest.raises(ConfigError) as raised:
        planned({**wrong, "training": {"rat": 1}})
    for words in ("network.kind", "tokenizer.size", "tokenizer.lowercase", "rat"):
        assert words in str(raised.value)
    with pytest.raises(ConfigError, match=r"tokenizer\.size does nothing beside tokenizer\.model"):
        planned({**values, "start": {}, "tokenizer": {"model": "minilm", "size": 99}})


def test_a_network_with_vectors_is_compared_with_one_without(tiny_bert) -> None:
    values = {"task": "classify", "out": "run", "data": {"train": "x.jsonl"}}
    plain_one = {**values, "network": {"kind": "bag"}, "tokenizer": {"kind": "char"}}
    begun_one = {
        **values,
        "network": {"kind": "lstm"},
        "start": {"embedding": str(tiny_bert("BertModel"))},
    }
    assert len(entries([begun_one, plain_one], Grid())) == 2
    other = {**plain_one, "network": {"kind": "gru"}, "tokenizer": {"kind": "byte"}}
    with pytest.raises(ConfigError, match=r"tokenizer\.kind"):
        entries([begun_one, plain_one, other], Grid())
    with pytest.raises(ConfigError, match="parameters cannot decide"):
        entries([begun_one, plain_one], Grid(parameters=10_000))


def test_losses_are_compared_where_all_begin_with_the_same_tokens(tiny_bert) -> None:
    start = {"embedding": str(tiny_bert("BertModel"))}
    for task in ("generate", "fill"):
        values = {"task": task, "out": "run", "data": {"train": "x.txt"}, "start": start}
        assert len(entries([values], Grid(networks=("conv", "transformer")))) == 2
        other = {**values, "start": {}, "network": {"kind": "conv"}}
        with pytest.raises(ConfigError, match="is that of other tokens"):
            entries([{**values, "network": {"kind": "transformer"}}, other], Grid())


def test_the_long_range_test_is_of_the_vectors_width(plan, corpus, tiny_bert, tmp_path) -> None:
    made = begun(plan, corpus, tiny_bert("BertModel"))
    assert recall_plan(made, tmp_path, tmp_path / "recall").network.width == 32


def test_options_bring_another_tokenizer(tiny_bert) -> None:
    own = {"kind": "bpe", "size": 99, "joint": False}
    values = {"task": "classify", "tokenizer": own, "data": {"train": "x.jsonl"}}
    for options in ({"start": {"embedding": "m"}}, {"tokenizer": {"model": "m"}}):
        made = over(values, options)
        assert made.get("tokenizer", {}) == options.get("tokenizer", {})
        assert made["data"] == values["data"]
    assert over(values, {"tokenizer": {"kind": "char"}})["tokenizer"] == {**own, "kind": "char"}
    model = {**values, "tokenizer": {"model": "m"}}
    assert over(model, {"tokenizer": {"kind": "char"}})["tokenizer"] == {"kind": "char"}
    assert over(values, {"out": "run"})["tokenizer"] == own
    grid = Grid(networks=("lstm", "gru"))
    made = entries([{**values, "out": "r"}], grid, {"tokenizer": {"model": "minilm"}})
    assert [entry.plan.tokenizer.model for entry in made] == ["minilm", "minilm"]
