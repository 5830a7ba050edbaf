"""New networks that begin with another model's tokenizer and vectors of tokens."""

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
