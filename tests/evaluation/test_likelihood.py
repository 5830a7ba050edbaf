"""Likelihood tasks: the same numbers as transformers', in windows that overlap."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM
from loquent.data.records import records
from loquent.evaluation.settings import Settings
from loquent.evaluation.windows import stretches, token_nats, window_of

Written = Callable[..., Path]
LICENCE = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8")


def reference_nats(folder: Path, ids: list[int], context: int, stride: int) -> float:
    """The sum of -log p by transformers, in the windows of its own guide to perplexity."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    model = AutoModelForCausalLM.from_pretrained(folder).double().eval()
    total, seen = 0.0, 1
    with torch.no_grad():
        while seen < len(ids):
            last = min(context if seen == 1 else seen + stride, len(ids))
            first = max(min(seen + stride - context, seen - 1), 0) if seen > 1 else 0
            logits = model(torch.tensor([ids[first : last - 1]])).logits[0]
            logs = logits.log_softmax(-1)
            for place in range(seen, last):
                total -= float(logs[place - 1 - first, ids[place]])
            seen = last
    return total


@pytest.mark.parametrize(("context", "stride"), [(128, 64), (100, 100), (64, 7), (33, 32)])
def test_perplexity_is_that_of_transformers(
    context: int, stride: int, gpt2: LM, tiny_gpt2: Path
) -> None:
    text = LICENCE[:3000]
    window = window_of(gpt2, context, stride)
    nats, starts = token_nats(gpt2, text, window)
    begin = gpt2.tokenizer.begin
    assert begin is not None
    ids = [begin, *gpt2.tokenizer.encode(text)]
    assert len(nats) == len(ids) - 1 == len(starts)
    assert nats.sum() == pytest.approx(reference_nats(tiny_gpt2, ids, context, stride), rel=1e-6)


def test_a_text_is_scored_in_stretches_that_no_tokenizer_changes(gpt2: LM, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(LICENCE, encoding="utf-8")
    report = loquent.evaluate(gpt2, "generate", path, settings=Settings(context=64, stride=32))
    (record,) = records(path)
    text = record.values["text"]
    spans = list(stretches(text))
    assert spans[0][0] == 0 and spans[-1][1] == len(text) and len(spans) > 5
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert report.examples == len(spans)
    nats, _ = token_nats(gpt2, text, window_of(gpt2, 64, 32))
    bits = nats.sum() / math.log(2) / len(text.encode())
    assert report.score("bits_per_byte").value == pytest.approx(bits, rel=1e-9)
    words = math.exp(nats.sum() / len(text.split()))
    assert report.score("word_perplexity").value == pytest.approx(words, rel=1e-6)
    assert "context:64|stride:32|begin token:yes" in report.main.signature


def test_choices_are_those_of_the_likelihood(gpt2: LM, written: Written) -> None:
    choices = ["the License", "a licence of any kind whatsoever", "work"]
    rows = [
        {"question": "You may reproduce", "choices": choices, "answer": 0},
        {"ctx": "Derivative", "endings": choices, "label": "2"},
        {"question": "Subject to", "choices": {"text": choices, "label": ["A", "B", "C"]},
         "answerKey": "B"},
    ]  # fmt: skip
    report = loquent.evaluate(gpt2, "", written(rows))
    assert report.task == "choose"
    right = fair = 0
    for asked, wanted in (("You may reproduce", 0), ("Derivative", 2), ("Subject to", 1)):
        made = gpt2.score([(asked, f" {each}") for each in choices])
        logs = np.array([each.logprob for each in made])
        right += int(logs.argmax()) == wanted
        fair += int((logs / [len(each) for each in choices]).argmax()) == wanted
    assert report.score("accuracy").value == pytest.approx(right / 3)
    assert report.score("accuracy_norm").value == pytest.approx(fair / 3)


def test_completions_are_those_of_the_likelihood(gpt2: LM, written: Written) -> None:
    told = gpt2.generate("You may reproduce", max_tokens=2, temperature=0).text
    rows = [
        {"prompt": "You may reproduce", "completion": told},
        {"prompt": "You may", "completion": " reproduce"},
        {"prompt": "Subject", "completion": "to the terms"},
    ]
    report = loquent.evaluate(gpt2, "", written(rows))
    made = gpt2.score([("You may reproduce", told), ("You may", " reproduce"),
                       ("Subject", " to the terms")])  # fmt: skip
    assert report.task == "complete"
    assert report.main.value == pytest.approx(sum(each.greedy for each in made) / 3)
    assert made[0].greedy
    nats = -sum(each.logprob for each in made) / sum(each.tokens for each in made)
    assert report.score("perplexity").value == pytest.approx(math.exp(nats), rel=1e-9)


def test_the_harness_drives_a_model_of_ours(gpt2: LM, tmp_path: Path, written: Written) -> None:
    evaluator = pytest.importorskip("lm_eval.evaluator")
    from lm_eval.tasks import TaskManager  # noqa: PLC0415

    from loquent.evaluation.harness import Adapter  # noqa: PLC0415

    rows = [
        {"question": f"Section {number} of the License says", "choices": ["work", "you may", "no"],
         "answer": number % 3}
        for number in range(12)
    ]  # fmt: skip
    data = written(rows)
    (tmp_path / "own.yaml").write_text(
        "task: own\ndataset_path: json\n"
        f"dataset_kwargs:\n  data_files:\n    test: {data}\n"
        "test_split: test\noutput_type: multiple_choice\n"
        "doc_to_text: '{{question}}'\ndoc_to_choice: choices\ndoc_to_target: answer\n"
        "metric_list:\n  - metric: acc\n  - metric: acc_norm\n",
        encoding="utf-8",
    )
    found = evaluator.simple_evaluate(
        model=Adapter(gpt2),
        tasks=["own"],
        task_manager=TaskManager(include_path=str(tmp_path), include_defaults=False),
        bootstrap_iters=0,
    )["results"]["own"]
    ours = loquent.evaluate(gpt2, "choose", data)
    assert found["acc,none"] == pytest.approx(ours.score("accuracy").value)
    assert found["acc_norm,none"] == pytest.approx(ours.score("accuracy_norm").value)
