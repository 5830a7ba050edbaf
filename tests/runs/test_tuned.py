"""BERT tuned to classify: what comes out opens natively, in transformers and in PEFT."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import loquent
from loquent.checkpoints import hub
from loquent.checkpoints.adapters.merging import merged
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import ConfigError
from loquent.runs import execute
from loquent.runs.changes import changed
from loquent.tasks import TASKS

TEXTS = ["the dog ran to its house", "fine the cat sat on a mat.", "poor"]


def theirs(model, folder: Path) -> np.ndarray:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        rows = [model.eval()(**tokenizer(text, return_tensors="pt")).logits for text in TEXTS]
    return torch.cat(rows).numpy()


def tuned(plan, corpus: Path, base: Path, **start):
    return plan(
        task="classify",
        data={"train": str(corpus / "classes.jsonl"), "length": 64},
        start={"model": str(base), **start},
        network={"dropout": 0.1},
        training={"steps": 6, "rate": 1e-2},
    )


@pytest.mark.parametrize("lora", [0, 2])
def test_a_tuned_encoder_opens_everywhere(plan, corpus, tiny_bert, lora) -> None:
    base = tiny_bert("BertModel")
    made = tuned(plan, corpus, base, lora=lora)
    execute.run(made)
    folder = Path(made.out) / "model"
    settings = json.loads((folder / "config.json").read_text())
    assert settings["architectures"] == ["BertForSequenceClassification"]
    assert settings["id2label"] == {"0": "n", "1": "y"}
    wanted = theirs(AutoModelForSequenceClassification.from_pretrained(folder), folder)
    lm = loquent.open(made.out, bits=32)
    assert lm.executor.runtime == "native"
    ours = np.stack([each.values for each in lm.read(TEXTS)])
    assert np.abs(ours - wanted).max() < 1e-4 * max(1.0, np.abs(wanted).max())
    if not lora:
        return
    adapter = Path(made.out) / "adapter"
    joined, whole = merged(Checkpoint.open(base), adapter), Checkpoint.open(hub.resolve(made.out))
    for name in whole.weights:
        assert np.allclose(joined.weights[name], whole.weights[name], atol=1e-6)
    opened = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    again = theirs(PeftModel.from_pretrained(opened, adapter), folder)
    assert np.abs(again - wanted).max() < 1e-4 * max(1.0, np.abs(wanted).max())


def test_shares_that_are_dropped_reach_a_model_with_a_new_head(plan, corpus, tiny_bert) -> None:
    origin = Checkpoint.open(tiny_bert("BertModel"))
    asked = {"dropout": 0.2, "attention_dropout": 0.0}
    encoder = changed(origin, TASKS["classify"], ("n", "y"), asked).encoder
    assert (encoder.dropout, encoder.key_dropout) == (0.2, 0.0)
    bare = replace(origin, config=replace(origin.config, encoder=replace(encoder, layers=0)))
    with pytest.raises(ConfigError, match="has no attention"):
        changed(bare, TASKS["classify"], ("n", "y"), asked)
    made = tuned(plan, corpus, tiny_bert("BertModel"), lora=2)
    made = replace(made, network=replace(made.network, attention_dropout=0.0))
    execute.run(made)
    joined, whole = (
        merged(origin, Path(made.out) / "adapter"),
        Checkpoint.open(hub.resolve(made.out)),
    )
    for name in whole.weights:
        assert np.allclose(joined.weights[name], whole.weights[name], atol=1e-6)


def test_states_read_in_another_way_are_kept_in_our_own_form(plan, corpus, tiny_bert) -> None:
    made = tuned(plan, corpus, tiny_bert("BertModel"), pooling="mean", lora=2)
    execute.run(made)
    opened = Checkpoint.open(hub.resolve(made.out))
    assert (opened.card.family, opened.config.pooling) == ("loquent", "mean")
    assert "not written" in (Path(made.out) / "README.md").read_text()
    assert loquent.open(made.out).executor.runtime == "native"
