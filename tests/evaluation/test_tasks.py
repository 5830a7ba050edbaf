"""Each task is judged by what its call answers, and by the metrics that fit it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import loquent
from loquent import LM
from loquent.commands.evaluate import TASKS
from loquent.errors import DataError, UsageError, UserError
from loquent.evaluation.jobs import JOBS
from loquent.evaluation.settings import Settings
from loquent.metrics import METRICS, CountTable, scored
from loquent.tasks.defaults import SERVES

Written = Callable[..., Path]
PAIRS = [
    {"source": "how do plants make food", "target": "Photosynthesis turns light into sugar."},
    {"source": "capital of Germany", "target": "Berlin is the seat of the German government."},
    {"source": "how to boil an egg", "target": "Put it into boiling water for eight minutes."},
]
HIDDEN = [
    {"text": "Paris is the <mask> of France.", "target": "capital"},
    {"text": "The river is in [MASK].", "target": "france"},
]
ASKED = [
    {"question": "Who wrote Hamlet?", "context": "Hamlet was written by Shakespeare in 1600.",
     "answers": [{"text": "Shakespeare", "answer_start": 22}]},
    {"question": "When?", "context": "Hamlet was written by Shakespeare in 1600.",
     "answers": {"text": ["1600", "in 1600"], "answer_start": [37, 34]}},
    {"question": "Who sings?", "context": "Hamlet was written by Shakespeare.", "answers": []},
]  # fmt: skip


def test_the_command_knows_every_task_and_each_has_metrics_and_a_default() -> None:
    assert tuple(JOBS) == TASKS
    for job in JOBS.values():
        assert set(job.metrics(Settings(), "")) <= set(METRICS)
        assert job.application in SERVES or job.application == "generate"


def total(name: str, told: list[Any], meant: list[Any]) -> float:
    """A metric's value by hand."""
    metric = METRICS[name]
    table = CountTable()
    for answer, target in zip(told, meant, strict=True):
        table.add(metric.count(answer, target, 0))
    return scored(metric, table).value


def test_answers_are_judged_beside_all_right_ones(
    tiny_bert: Callable[..., Path], written: Written
) -> None:
    lm = loquent.open(tiny_bert("BertForQuestionAnswering"), bits=32)
    report = loquent.evaluate(lm, "answer", written(ASKED))
    told = [loquent.answer(row["question"], row["context"], model=lm).text for row in ASKED]
    meant = [["Shakespeare"], ["1600", "in 1600"], []]
    assert report.score("exact_match").value == pytest.approx(total("exact_match", told, meant))
    assert report.main.value == pytest.approx(total("answer_f1", told, meant))
    assert {each.told for each in report.worst} == set(told)


def test_hidden_words_are_ranked(tiny_bert: Callable[..., Path], written: Written) -> None:
    lm = loquent.open(tiny_bert("BertForMaskedLM"), bits=32)
    told = loquent.fill([row["text"] for row in HIDDEN], model=lm, top=10)
    words = [[each.word for each in row.candidates[0]] for row in told]
    rows = [{"text": row["text"], "target": words[place][place * 3]}
            for place, row in enumerate(HIDDEN)]  # fmt: skip  # right at the first, at the fourth
    report = loquent.evaluate(lm, "fill", written(rows))
    assert report.score("recall@1").value == 0.5
    assert report.score("recall@5").value == 1.0
    assert report.score("mrr").value == pytest.approx((1 + 1 / 4) / 2)
    with pytest.raises(DataError, match="one hidden word"):
        loquent.evaluate(lm, "fill", written([{"text": "no mark", "target": "x"}]))


@pytest.mark.weights
def test_passages_are_found_among_all(written: Written) -> None:
    try:
        lm = loquent.open("minilm")
    except UserError as error:
        pytest.skip(f"the model that embeds cannot be had here: {error}")
    report = loquent.evaluate(lm, "search", written(PAIRS))
    assert report.score("recall@1").value == 1.0 and report.score("ndcg@10").value == 1.0
    swapped = [{**row, "target": PAIRS[place - 1]["target"]} for place, row in enumerate(PAIRS)]
    wrong = loquent.evaluate(lm, "search", written(swapped, "swapped.jsonl"))
    assert wrong.score("recall@1").value == 0.0 and 1 / 3 <= wrong.score("mrr").value <= 1 / 2
    assert "passages:3" in wrong.main.signature
    with pytest.raises(UsageError, match="two passages"):
        loquent.evaluate(lm, "search", written(PAIRS[:1], "one.jsonl"))


def test_the_first_sentences_are_a_baseline_that_needs_no_model(written: Written) -> None:
    text = "A fox ran home. It was late. The night was cold. Nobody saw it. The end."
    rows = [{"article": text, "summary": "A fox ran home. It was late. The night was cold."},
            {"article": text, "summary": "Nobody saw the fox."}]  # fmt: skip
    settings = Settings(how="lead")
    report = loquent.evaluate(None, "summarize", written(rows), settings=settings)
    assert report.worst[-1].goodness == 100.0 and report.model.name == "no model (lead)"
    told = ["A fox ran home. It was late. The night was cold."] * 2
    meant = [row["summary"] for row in rows]
    for name in ("rouge1", "rouge2", "rougeL", "rougeLsum"):
        assert report.score(name).value == pytest.approx(total(name, told, meant)), name


def test_chinese_is_cut_into_characters(written: Written) -> None:
    rows = [{"article": "天气很好。我们去公园。", "summary": "天气很好，去公园。"}]
    settings = Settings(how="lead", sentences=1)
    report = loquent.evaluate(None, "summarize", written(rows), settings=settings)
    assert report.main.name == "rouge1-zh" and 0 < report.main.value < 100


@pytest.mark.weights
def test_translations_are_judged_beside_all_right_ones(written: Written) -> None:
    try:
        lm = loquent.open("flan-t5-small-title")
    except UserError as error:
        pytest.skip(f"the model cannot be had here: {error}")
    rows = [{"en": "The house is wonderful.", "de": "Das Haus ist wunderbar."}]
    report = loquent.evaluate(lm, "translate", written(rows))
    assert report.score("bleu").value == pytest.approx(100.0)
    listed = [{"source": rows[0]["en"], "target": ["Ganz anders.", rows[0]["de"]]}]
    settings = Settings(source="en", target="de")
    several = loquent.evaluate(lm, "translate", written(listed, "listed.jsonl"), settings=settings)
    assert several.score("bleu").value == pytest.approx(100.0)
    assert "tok:13a" in several.main.signature and "sacrebleu:" in several.main.signature


def test_a_model_of_another_kind_is_refused(gpt2: LM, sentiment: LM, written: Written) -> None:
    for lm, task, rows in (
        (sentiment, "generate", [{"text": "a"}]),
        (gpt2, "classify", [{"text": "a", "label": "b"}]),
        (gpt2, "search", PAIRS),
        (sentiment, "translate", [{"en": "The house is big.", "de": "Das Haus ist groß."}]),
    ):
        settings = Settings(target="de", source="en") if task == "translate" else Settings()
        with pytest.raises(UserError):
            loquent.evaluate(lm, task, written(rows), settings=settings)


@pytest.mark.weights
@pytest.mark.data
def test_recordings_are_judged_by_words_and_characters(data: Path, tmp_path: Path) -> None:
    try:
        lm = loquent.open("whisper-tiny.en")
    except UserError as error:
        pytest.skip(f"the model that hears cannot be had here: {error}")
    said = (
        "And so, my fellow Americans, ask not what your country can do for you, "
        "ask what you can do for your country."
    )
    shutil.copy(next((data / "jfk").glob("*.flac")), tmp_path / "jfk.flac")
    (tmp_path / "jfk.txt").write_text(said, encoding="utf-8")
    settings = Settings(language="en")
    report = loquent.evaluate(lm, "transcribe", tmp_path, settings=settings)
    assert report.main.name == "wer-normalized-en" and report.main.value == 0.0
    (tmp_path / "jfk.txt").write_text(said.replace("Americans", "Romans"), encoding="utf-8")
    wrong = loquent.evaluate(lm, "transcribe", tmp_path, settings=settings)
    assert wrong.main.value == pytest.approx(1 / 22)
    (tmp_path / "noise.flac").write_bytes(b"fLaC nothing")
    (tmp_path / "noise.txt").write_text("nothing", encoding="utf-8")
    broken = loquent.evaluate(lm, "transcribe", tmp_path, settings=settings)
    assert broken.unanswered == 1 and broken.examples == 2
