"""Whole runs of tiny networks: what they leave, how they go on, and when they end."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

import loquent
from loquent.checkpoints import hub
from loquent.checkpoints.adapters.merging import merged
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import ConfigError, DataError, UsageError
from loquent.runs import execute, readiness, stores
from loquent.runs.course import Course, due
from loquent.runs.listing import open_run
from loquent.runs.plan import Plan, plain
from loquent.training.loop import Step
from loquent.training.losses import loss_of


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "model" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(
        np.array_equal(each, second[name]) for name, each in first.items()
    )


def test_a_run_leaves_all_that_one_needs(plan) -> None:
    notes, steps = [], []
    made = plan(data={"test_share": 0.1})
    result = execute.run(made, on_note=notes.append, on_step=steps.append)
    folder = Path(made.out)
    assert [step.number for step in steps] == list(range(1, 13))
    assert result.reason == "budget"
    assert result.steps == 12
    assert result.validation["loss"].low <= result.validation["loss"].value
    assert "perplexity" in result.test
    for name in ("run.json", "log.jsonl", "README.md", "curves.svg", "curves.png", "model"):
        assert (folder / name).exists(), name
    card = json.loads((folder / "run.json").read_text())
    assert card["plan"] == json.loads(json.dumps(plain(made)))
    assert card["result"]["steps"] == 12
    assert len(card["data"]["train"]["fingerprint"]) == 64
    assert any("unknown tokens" in note for note in notes)
    assert any(note.startswith("judged at step 12") for note in notes)
    found = open_run(folder)
    assert found.finished
    assert not found.faults
    assert {line.kind for line in found.lines} == {"train", "eval", "test"}


def test_reading_that_takes_long_says_how_far_it_is(plan, monkeypatch, corpus) -> None:
    monkeypatch.setattr(stores, "_PATIENCE_SECONDS", -1.0)
    notes = []
    data = {"train": str(corpus / "classes.jsonl"), "length": 0}
    readiness.estimated(plan(task="classify", data=data), on_note=notes.append)
    told = [note for note in notes if note.startswith("train: ") and "read so far" in note]
    assert told[1] == "train: 1 records are read so far."
    assert len(told) > 300


def test_the_model_opens_and_writes(plan) -> None:
    made = plan()
    execute.run(made)
    assert hub.resolve(made.out) == Path(made.out) / "model"
    for name in (made.out, Path(made.out) / "model"):
        lm = loquent.open(name, runtime="torch")
        assert lm.generate("the cat", max_tokens=5, temperature=0).text
        assert lm.checkpoint.config.decoder.dropout == 0


def test_a_stopped_run_goes_on_bit_by_bit_the_same(plan, tmp_path) -> None:
    whole, parts = plan(out=str(tmp_path / "whole")), plan(out=str(tmp_path / "parts"))
    execute.run(whole)
    for end in (3, 7, 8):
        seen = []
        result = execute.run(
            parts, on_step=seen.append, stop=lambda end=end, seen=seen: seen[-1].number >= end
        )
        assert result.reason == "stopped"
        assert result.model is None
        assert result.steps == end
        assert not (tmp_path / "parts" / "model").exists()
    result = execute.run(parts)
    assert result.reason == "budget"
    assert same(tmp_path / "whole", tmp_path / "parts")
    logs = [
        [(line.kind, line.step, line.values.get("loss")) for line in open_run(each).lines]
        for each in (tmp_path / "whole", tmp_path / "parts")
    ]
    assert logs[0] == logs[1]


def test_a_larger_budget_goes_on_and_another_plan_does_not(plan) -> None:
    execute.run(plan(training={"steps": 4}))
    with pytest.raises(ConfigError, match=r"training.rate is 0.01 there, but 0.02 is asked for"):
        execute.run(plan(training={"steps": 4, "rate": 0.02}))
    result = execute.run(plan(training={"steps": 6}))
    assert result.steps == 6


def test_changed_data_are_not_gone_on_with(plan, corpus, tmp_path) -> None:
    path = tmp_path / "own.txt"
    path.write_text((corpus / "text.txt").read_text())
    made = plan(data={"train": str(path)})
    execute.run(plan(data={"train": str(path)}, training={"steps": 4}))
    path.write_text("The data are others. " * 300)
    with pytest.raises((ConfigError, DataError), match="data have changed"):
        execute.run(made)


def test_a_folder_of_other_things_is_left_alone(plan, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds other files: thesis.txt"):
        execute.run(plan())


def test_one_process_at_a_time(plan) -> None:
    from loquent.runs.folder import alone  # noqa: PLC0415

    made = plan()
    with alone(Path(made.out)), pytest.raises(UsageError, match="another process"):
        execute.run(made)


def test_the_best_weights_are_kept_and_patience_ends(plan) -> None:
    made = plan(
        training={"steps": 400, "rate": 3.0, "schedule": "constant", "warmup": 0.0, "clip": 0.0},
        evaluate={"every": 2, "patience": 2},
    )
    result = execute.run(made)
    assert result.reason == "patience"
    assert result.best_step < result.steps < 400
    lines = open_run(Path(made.out)).lines
    judged = {line.step: line.values["loss"] for line in lines if line.kind == "eval"}
    assert min(judged, key=judged.get) == result.best_step
    assert result.validation["loss"].value == pytest.approx(judged[result.best_step], rel=0.2)


def test_averaged_weights_are_what_is_judged_and_written(plan, tmp_path) -> None:
    plain_run = plan(out=str(tmp_path / "plain"))
    averaged = plan(out=str(tmp_path / "averaged"), training={"ema": 0.9})
    execute.run(plain_run)
    execute.run(averaged)
    assert not same(tmp_path / "plain", tmp_path / "averaged")


def test_classes_are_learned_and_named(plan, corpus) -> None:
    made = plan(
        task="classify",
        data={"train": str(corpus / "classes.jsonl"), "length": 0, "batch": 16},
        network={"kind": "bag", "layers": 0, "width": 32},
        tokenizer={"kind": "unigram", "size": 60},
        training={"steps": 60, "rate": 0.05},
        evaluate={"every": 0.5},
    )
    result = execute.run(made)
    assert result.validation["accuracy"].value > 0.9
    assert set(result.validation) == {"accuracy", "f1", "loss"}
    opened = Checkpoint.open(hub.resolve(made.out))
    assert opened.config.labels == ("n", "y")
    assert opened.config.output == "class"


def test_ngrams_tell_an_order_and_a_stopped_run_goes_on_bit_by_bit(plan, tmp_path) -> None:
    """Both classes have the same words, so that only their order tells them apart."""
    data = tmp_path / "order.jsonl"
    rows = [
        {"text": f"{number} {words} {number + 1} {words}", "label": label}
        for number in range(60)
        for words, label in (("is on", "up"), ("on is", "down"))
    ]
    data.write_text("\n".join(map(json.dumps, rows)))

    def made(name: str, **network) -> Plan:
        return plan(
            out=str(tmp_path / name),
            task="classify",
            data={"train": str(data), "length": 0, "batch": 16},
            network={"kind": "bag", "layers": 0, "width": 8, "heads": 0, **network},
            tokenizer={"kind": "char"},
            training={"steps": 60, "rate": 0.05},
            evaluate={"every": 0.5},
        )

    ngrams = {"ngrams": [2, 3], "buckets": 500}
    whole = execute.run(made("whole", **ngrams))
    assert whole.validation["accuracy"].value == 1
    assert execute.run(made("words")).validation["accuracy"].value < 0.9
    for end in (7, 30):
        seen = []
        execute.run(
            made("parts", **ngrams),
            on_step=seen.append,
            stop=lambda end=end, seen=seen: seen[-1].number >= end,
        )
    execute.run(made("parts", **ngrams))
    assert same(tmp_path / "whole", tmp_path / "parts")
    opened = Checkpoint.open(hub.resolve(str(tmp_path / "parts")))
    assert (opened.config.encoder.ngrams, opened.config.encoder.buckets) == ((2, 3), 500)
    asked = ["8 is on 9 is on", "8 on is 9 on is"]
    told = loquent.classify(asked, model=str(tmp_path / "parts"))
    assert [each.label for each in told] == ["up", "down"]


def test_translations_have_texts_and_two_tokenizers(plan, corpus) -> None:
    pytest.importorskip("sacrebleu")
    made = plan(
        task="translate",
        data={
            "train": str(corpus / "pairs"), "source": "a", "target": "b", "length": 0,
            "batch": 0, "batch_tokens": 600,
        },
        network={"kind": "transformer", "feedforward": 32},
        tokenizer={"kind": "char", "joint": False},
        training={"steps": 3},
        evaluate={"every": 0, "texts": 4},
    )  # fmt: skip
    result = execute.run(made)
    assert set(result.validation) == {"loss", "perplexity", "bleu"}
    opened = Checkpoint.open(hub.resolve(made.out))
    assert opened.source_tokenizer is not None
    assert opened.source_tokenizer.id("t") is not None
    assert opened.tokenizer.id("t") is None
    assert opened.tokenizer.id("T") is not None


def test_what_is_written_is_counted_as_its_language_asks(plan, tmp_path) -> None:
    """BLEU of Chinese is of characters: of a sentence by its words a run would have nothing."""
    pytest.importorskip("sacrebleu")
    rows = [{"en": f"{n} is here", "zh": f"第{n}个在这里，没有别的东西。"} for n in range(40)]
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    made = plan(
        task="translate",
        data={
            "train": str(data), "source": "en", "target": "zh", "length": 0,
            "batch": 8, "validation_share": 0.2,
        },
        network={"kind": "transformer", "layers": 1, "width": 32, "heads": 2},
        tokenizer={"kind": "char"},
        training={"steps": 60, "rate": 1e-2},
        evaluate={"every": 0, "texts": 0, "metric": "bleu"},
    )  # fmt: skip
    score = execute.run(made).validation["bleu"]
    assert (score.name, "tok:zh" in score.signature) == ("bleu-zh", True)
    assert score.value > 30


def test_an_estimate_learns_nothing(plan) -> None:
    made = plan()
    found = readiness.estimated(made)
    assert found.steps == 12
    assert found.seconds > 0
    assert found.memory_bytes > 0
    assert "12 steps" in found.sentence()
    assert not (Path(made.out) / "run.json").exists()
    assert execute.run(plan(tokenizer={"kind": "byte"})).steps == 12  # another plan may follow


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_an_estimate_computes_as_the_run_will(precision, plan, monkeypatch) -> None:
    halves = []

    def watched(*settings):
        loss = loss_of(*settings)

        def computed(model, batch):
            halves.append(torch.is_autocast_enabled("cpu"))
            return loss(model, batch)

        return computed

    monkeypatch.setattr(readiness, "loss_of", watched)
    readiness.estimated(plan(training={"precision": precision}))
    assert halves == [precision == "bf16"] * 2


def test_a_model_that_is_there_is_tuned(plan, tiny_gpt2) -> None:
    before = Checkpoint.open(tiny_gpt2)
    made = plan(start={"model": str(tiny_gpt2)}, training={"steps": 4, "rate": 1e-3})
    execute.run(made)
    after = Checkpoint.open(hub.resolve(made.out))
    assert after.card.family == "gpt2"
    name = "decoder.layers.0.feedforward.up.weight"
    assert before.weights[name].shape == after.weights[name].shape
    assert not np.array_equal(before.weights[name], after.weights[name])
    assert np.allclose(before.weights[name], after.weights[name], atol=0.05)


def test_a_gpt2_that_was_trained_here_runs_natively(plan) -> None:
    made = plan(network={"kind": "gpt2", "width": 64, "layers": 2}, training={"steps": 20})
    execute.run(made)
    torch = loquent.open(made.out, runtime="torch")
    native = loquent.open(made.out, runtime="native", bits=32)
    assert torch.checkpoint.card.family == "gpt2"
    ids = torch.tokenizer.encode("the cat sat")
    expected = torch.logits([ids])
    assert np.abs(native.logits([ids]) - expected).max() < 1e-4 * np.abs(expected).max() + 1e-4


def step(number: int, share: float) -> Step:
    from loquent.data.settings import Place  # noqa: PLC0415

    return Step(number, 1.0, 0.1, 1.0, 1, 1.0, share, Place(), False)


def test_when_something_is_due() -> None:
    assert [n for n in range(1, 10) if due(3, step(n, n / 9), (n - 1) / 9)] == [3, 6, 9]
    assert [n for n in range(1, 10) if due(0.25, step(n, n / 9), (n - 1) / 9)] == [3, 5, 7, 9]
    assert not any(due(0, step(n, n / 9), (n - 1) / 9) for n in range(1, 10))


def test_the_best_is_remembered() -> None:
    from loquent.metrics import METRICS  # noqa: PLC0415

    course = Course()
    judged = [course.judged(METRICS["loss"], *each) for each in ((3.0, 1), (2.0, 2), (2.5, 3))]
    assert judged == [True, True, False]
    assert (course.best, course.best_step, course.worse) == (2.0, 2, 1)


TURN = [{"role": "user", "content": "the cat"}, {"role": "assistant", "content": "sat"}]
RECORDS = {
    "chat": {"messages": TURN},
    "labels": {"text": "the cat", "labels": ["animal", "pet"]},
    "tag": {"tokens": ["the", "cat"], "tags": ["O", "ANIMAL"]},
    "embed": {"source": "the cat", "target": "a cat"},
    "fill": {"text": "the cat sat on the mat"},
    "translate": {"source": "the cat", "target": "sat"},
    "summarize": {"document": "the cat", "summary": "sat"},
}


@pytest.mark.parametrize("task", RECORDS)
def test_every_task_learns_and_leaves_a_model(task: str, plan, tmp_path) -> None:
    path = tmp_path / "data.jsonl"
    record = json.dumps(RECORDS[task])
    lines = [record.replace("cat", f"cat{number}") for number in range(40)]
    path.write_text("\n".join(lines))
    made = plan(
        task=task,
        data={"train": str(path), "length": 0},
        tokenizer={"kind": "byte", "size": 300},
        network={"kind": "transformer"},
        training={"steps": 2},
        evaluate={"every": 0},
    )
    result = execute.run(made)
    assert all(np.isfinite(score.value) for score in result.validation.values())
    opened = Checkpoint.open(hub.resolve(made.out))
    if task == "chat":
        assert opened.tokenizer.template is not None
        assert loquent.open(made.out).chat(TURN[:1], max_tokens=3).prompt_tokens > 3


def test_low_rank_updates_are_merged_into_the_model(plan, tiny_gpt2) -> None:
    before = Checkpoint.open(tiny_gpt2)
    start = {"model": str(tiny_gpt2), "lora": 2, "freeze": ["*.bias"]}
    made = plan(start=start, training={"steps": 4, "rate": 1e-2})
    execute.run(made)
    after = Checkpoint.open(hub.resolve(made.out))
    assert after.weights.keys() == before.weights.keys()
    moved = {
        name for name in after.weights if not np.allclose(after.weights[name], before.weights[name])
    }
    assert moved
    assert all(".layers." in name and name.endswith(".weight") for name in moved)


def test_the_updates_are_there_alone_too_and_open_in_peft(plan, tiny_gpt2) -> None:
    """The base with the adapter of the run's folder is the run's merged model."""
    made = plan(start={"model": str(tiny_gpt2), "lora": 2}, training={"steps": 4, "rate": 1e-2})
    execute.run(made)
    whole = Checkpoint.open(hub.resolve(made.out))
    joined = merged(Checkpoint.open(tiny_gpt2), Path(made.out) / "adapter")
    assert joined.tokenizer.vocabulary == whole.tokenizer.vocabulary
    for name in whole.weights:
        assert np.allclose(joined.weights[name], whole.weights[name], atol=1e-6)
    base = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    theirs = PeftModel.from_pretrained(base, Path(made.out) / "adapter")
    ids = torch.arange(2, 22)[None]
    with torch.no_grad():
        logits = theirs(ids).logits.numpy()
    ours = loquent.open(made.out, bits=32).logits(ids.tolist())
    assert np.abs(ours - logits).max() < 1e-4
    assert "| adapter | adapter |" in (Path(made.out) / "README.md").read_text()
