"""T5 tuned to translate and to summarize: it opens natively, in transformers and in PEFT."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM

import loquent
from loquent.checkpoints import hub
from loquent.checkpoints.adapters.merging import merged
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import ConfigError
from loquent.runs import execute
from loquent.runs.plan import Plan
from loquent.tasks.asking import manner
from loquent.tasks.summarizing import summarize
from loquent.tasks.translating import translate

PREFIX = "translate English to German: "
TEXTS = ["The licence of the work", "and of its source"]


@pytest.fixture
def tuned(
    plan: Callable[..., Plan], tiny_t5_folder: Path, corpus: Path, tmp_path: Path
) -> Callable[..., Plan]:
    """A plan of a few steps that tunes the tiny T5 on pairs named en and de."""
    lines = (corpus / "text.txt").read_text().splitlines()
    rows = [json.dumps({"en": line, "de": line.upper()}) for line in lines]
    (tmp_path / "pairs.jsonl").write_text("\n".join(rows))

    def made(task: str = "translate", **start: object) -> Plan:
        return plan(
            task=task,
            data={
                "train": str(tmp_path / "pairs.jsonl"), "source": "en", "target": "de",
                "length": 0, "batch": 0, "batch_tokens": 400,
            },
            start={"model": str(tiny_t5_folder), **start},
            training={"steps": 4, "rate": 1e-2},
            evaluate={"every": 0, "texts": 4, "metric": "loss"},
        )  # fmt: skip

    return made


def logits(model: torch.nn.Module, source: list[int], target: list[int]) -> np.ndarray:
    with torch.no_grad():
        return model.eval()(
            input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target])
        ).logits[0].numpy()  # fmt: skip


def close(one: np.ndarray, two: np.ndarray) -> bool:
    return float(np.abs(one - two).max()) < 1e-4 * max(1.0, float(np.abs(two).max()))


@pytest.mark.parametrize("start", [{}, {"lora": 2}, {"lora": 2, "lora_targets": ["decoder.*"]}])
def test_a_tuned_translator_opens_everywhere(tuned, tiny_t5_folder: Path, start) -> None:
    made = tuned(prefix="auto", **start)
    notes: list[str] = []
    execute.run(made, on_note=notes.append)
    assert f"every source begins with {PREFIX!r}." in notes
    folder = Path(made.out) / "model"
    settings = json.loads((folder / "config.json").read_text())
    assert settings["decoder_start_token_id"] == 0
    assert settings["task_specific_params"] == {"translation_en_to_de": {"prefix": PREFIX}}
    lm = loquent.open(made.out, bits=32)
    assert lm.executor.runtime == "native"
    how = manner(lm)
    assert (how.languages, how.one_way, how.own) == (("en", "de"), True, True)
    assert how.translation_prefix("en", "de") == PREFIX
    told = translate(lm, TEXTS, source="en", target="de", beams=2)
    plain = lm.generate([PREFIX + text for text in TEXTS], beams=2, max_tokens=64)
    assert all(a.text and b.text.startswith(a.text[:5]) for a, b in zip(told, plain, strict=True))
    source, target = lm.tokenizer.encode(PREFIX + TEXTS[0]), [0, 5, 9, 7]
    theirs = logits(AutoModelForSeq2SeqLM.from_pretrained(folder), source, target)
    assert close(lm.logits([target], [source])[0], theirs)
    if not start:
        return
    adapter = Path(made.out) / "adapter"
    base = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5_folder)
    assert close(logits(PeftModel.from_pretrained(base, adapter), source, target), theirs)
    (adapter / "README.md").write_text("---\nlanguage: [en, de]\nlibrary_name: loquent\n---\n# x\n")
    joined = merged(Checkpoint.open(tiny_t5_folder), adapter)
    joined.save(folder.parent / "joined")
    again = loquent.open(folder.parent / "joined", bits=32)
    assert close(again.logits([target], [source])[0], theirs)
    assert manner(again).languages == ("en", "de")
    assert manner(again).translation_prefix("en", "de") == PREFIX
    changed = [name for name in joined.weights if name.startswith("encoder.layers")]
    assert bool(start.get("lora_targets")) == all(
        np.array_equal(joined.weights[name], Checkpoint.open(tiny_t5_folder).weights[name])
        for name in changed
    )


def test_a_tuned_summarizer_is_asked_as_it_was_tuned(tuned) -> None:
    made = tuned("summarize", prefix="tl;dr: ")
    result = execute.run(made)
    assert set(result.validation) == {"loss", "perplexity", "rouge1", "rouge2", "rougeL"}
    lm = loquent.open(made.out, bits=32)
    assert manner(lm).summary_prefix() == "tl;dr: "
    (told,) = summarize(lm, ["The licence of the work. And of its source."], words=5, beams=2)
    assert told.text
    assert "summarization" in (Path(made.out) / "README.md").read_text()


def test_examples_are_framed_as_the_models_makers_do(tuned, tiny_t5_folder: Path) -> None:
    made = tuned(prefix=PREFIX)
    ready = execute.assembled(made, Path(made.out), lambda _note: None)
    tokenizer = Checkpoint.open(tiny_t5_folder).tokenizer
    example = ready.train.store[0]
    text = tokenizer.decode(example.source.tolist())
    assert text.startswith(PREFIX)
    assert example.source.tolist() == tokenizer.encode(text)
    assert (int(example.ids[0]), int(example.ids[-1])) == (0, tokenizer.end)
    assert tokenizer.decode(example.ids.tolist()) == text.removeprefix(PREFIX).upper()


def test_what_a_prefix_cannot_be_is_refused(tuned, plan, corpus: Path, tiny_t5_folder) -> None:
    with pytest.raises(ConfigError, match="prefix is what a model that is there reads"):
        plan(start={"prefix": "auto"})
    with pytest.raises(ConfigError, match="prefix does nothing to generate"):
        plan(start={"prefix": "auto", "model": "x"})
    with pytest.raises(ConfigError, match="lora_targets does nothing without a rank"):
        tuned(lora_targets=["query"])
    unnamed = plan(
        task="translate",
        data={"train": str(corpus / "pairs"), "source": "a", "target": "b"},
        start={"model": str(tiny_t5_folder), "prefix": "auto"},
    )
    with pytest.raises(ConfigError, match="which languages are translated is not known"):
        execute.run(unnamed)


def test_a_stopped_run_is_not_gone_on_with_under_another_prefix(tuned) -> None:
    made = tuned(prefix=PREFIX)
    execute.run(made)
    with pytest.raises(ConfigError, match="prefix"):
        execute.run(tuned(prefix="summarize: "))
    assert hub.resolve(made.out).name == "model"
