"""Reports: scores as their references have them, whatever is asked together, and what is told."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

import loquent
from loquent import LM
from loquent.errors import DataError, UsageError
from loquent.evaluation.markdown import to_markdown
from loquent.evaluation.page import to_html
from loquent.evaluation.report import Report
from loquent.evaluation.settings import Settings

Written = Callable[..., Path]
GOOD = ("房间很干净，服务也好", "很好的书，孩子非常喜欢", "物流快，质量不错，下次还来")
BAD = ("质量太差，后悔买了", "房间又脏又吵，服务态度很差", "不好用，很失望")


def reviews(count: int) -> list[dict[str, Any]]:
    """Reviews with labels, one in five of which is wrong."""
    made = []
    for number in range(count):
        good = number % 2 == 0
        texts = GOOD if good else BAD
        label = good if number % 5 else not good
        text = f"{texts[number % 3]}。第{number}条" + "，真的" * (number % 7)
        name = "positive" if label else "negative"
        made.append({"text": text, "label": name, "shop": "abc"[number % 3]})
    return made


def test_scores_of_classes_are_those_of_scikit_learn(sentiment: LM, written: Written) -> None:
    rows = reviews(120)
    report = loquent.evaluate(sentiment, "classify", written(rows), settings=Settings(by="shop"))
    logits = np.array([each.values for each in sentiment.read([row["text"] for row in rows])])
    wide = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    chances = wide / wide.sum(axis=1, keepdims=True)
    names = ["negative", "positive"]
    meant = np.array([names.index(row["label"]) for row in rows])
    told = chances.argmax(axis=1)
    value = {each.name: each.value for each in report.scores}
    assert value["accuracy"] == pytest.approx(reference.accuracy_score(meant, told), abs=1e-12)
    assert value["f1"] == pytest.approx(reference.f1_score(meant, told, average="macro"), abs=1e-12)
    assert value["mcc"] == pytest.approx(reference.matthews_corrcoef(meant, told), abs=1e-12)
    assert value["roc_area"] == pytest.approx(
        reference.roc_auc_score(meant, chances[:, 1]), abs=5e-3
    )
    table = reference.confusion_matrix(meant, told)
    assert report.confusion == {
        name: {other: int(table[row, column]) for column, other in enumerate(names)
               if table[row, column]}
        for row, name in enumerate(names)
    }  # fmt: skip
    for shop, score in report.groups.items():
        which = [place for place, row in enumerate(rows) if row["shop"] == shop]
        assert score.value == pytest.approx((told == meant)[which].mean(), abs=1e-12)
        assert score.examples == len(which)
    assert sum(each.examples for each in report.lengths.values()) == len(rows)
    assert sum(each.examples for each in report.calibration) == len(rows)
    goodness = chances[np.arange(len(rows)), meant]
    assert report.worst[0].goodness == pytest.approx(goodness.min(), abs=1e-9)
    assert report.score("accuracy").low < value["accuracy"] < report.score("accuracy").high
    assert "data:" in report.main.signature and "native:f32" in report.main.signature


def scores_by(batch: int, threads: int, data: Path) -> Any:
    """The scores of a process with so many threads and examples asked together."""
    program = (
        "import sys, json, loquent\n"
        "from loquent.evaluation.settings import Settings\n"
        "lm = loquent.open('sentiment-zh', bits=32)\n"
        f"settings = Settings(batch={batch})\n"
        f"report = loquent.evaluate(lm, 'classify', {str(data)!r}, settings=settings)\n"
        "print(json.dumps(report.plain()['scores']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env={**os.environ, "LOQUENT_THREADS": str(threads)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_scores_do_not_depend_on_batch_and_threads(written: Written) -> None:
    data = written(reviews(130))
    first = scores_by(64, 2, data)
    assert len({each["value"] for each in first}) > 3
    assert all(
        scores_by(batch, threads, data) == first
        for batch, threads in ((1, 1), (1, 2), (7, 1), (7, 2), (64, 1))
    )


def test_a_killed_evaluation_goes_on_and_ends_as_the_unbroken_one(
    sentiment: LM, written: Written, tmp_path: Path
) -> None:
    data, out = written(reviews(200)), tmp_path / "out"
    whole = loquent.evaluate(sentiment, "classify", data, out=tmp_path / "whole")
    loquent.evaluate(sentiment, "classify", data, out=out)
    complete = (out / "answers.jsonl").read_bytes()
    assert complete == (tmp_path / "whole" / "answers.jsonl").read_bytes()
    (out / "answers.jsonl").write_bytes(complete[: len(complete) * 2 // 3])  # in a line's middle
    again = loquent.evaluate(sentiment, "classify", data, out=out)
    assert 0 < again.asked < 200
    assert (out / "answers.jsonl").read_bytes() == complete
    assert again.scores == whole.scores
    assert loquent.evaluate(sentiment, "classify", data, out=out).asked == 0
    with pytest.raises(UsageError, match="begun with"):
        loquent.evaluate(sentiment, "classify", data, out=out, settings=Settings(temperature=2.0))


def test_reports_are_written_and_hold_no_markup_of_the_data(
    sentiment: LM, written: Written, tmp_path: Path
) -> None:
    rows = [*reviews(10), {"text": "<script>alert(1)</script>|`*_ 很差", "label": "positive"}]
    report = loquent.evaluate(sentiment, "classify", written(rows), out=tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    class Tags(HTMLParser):
        seen: set[str] = set()  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.seen.add(tag)

    Tags().feed(page)
    assert "svg" in Tags.seen and not Tags.seen & {"script", "link", "img", "iframe"}
    assert "&lt;script&gt;" in page and "http" not in page.replace("http-equiv", "")
    plain = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert plain["scores"][0]["value"] == report.main.value
    markdown = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "\\<script>" in markdown and f"| {report.main.name} |" in markdown


def test_two_models_are_compared_on_the_same_examples(
    sentiment: LM, written: Written, tmp_path: Path
) -> None:
    data = written(reviews(150))
    found = loquent.evaluate([sentiment, sentiment], "classify", data, out=tmp_path / "same")
    for difference in found.against[0].differences:
        assert difference.value == 0 and difference.p == 1 and difference.differing == 0
    assert not found.against[0].gained and not found.against[0].lost
    small = loquent.open("sentiment-zh")  # in int8
    other = loquent.evaluate([sentiment, small], "classify", data, out=tmp_path / "other")
    names = {each.name: each for each in other.against[0].differences}
    reports = [each.score("calibration_error").value for each in other.reports]
    assert names["calibration_error"].value == pytest.approx(reports[1] - reports[0], abs=1e-12)
    assert {path.name for path in (tmp_path / "other").iterdir()} >= {
        "comparison.json", "comparison.md", "comparison.html",
    }  # fmt: skip
    assert "<svg" in to_html(other) and "p (Holm)" in to_markdown(other)


def test_what_cannot_be_asked_counts_as_wrong_and_is_told(
    tiny_bert: Callable[..., Path], written: Written
) -> None:
    lm = loquent.open(tiny_bert("BertForSequenceClassification", num_labels=2), bits=32)
    long = "paris is the capital of france " * 60  # over its 96 tokens
    names = lm.checkpoint.config.labels or ("0", "1")
    rows = [{"text": "paris is the capital", "label": names[0]}, {"text": long, "label": names[1]}]
    refused = loquent.evaluate(lm, "classify", written(rows))
    assert refused.unanswered == 1 and refused.truncated == 0
    assert any("tokens" in each.told for each in refused.worst)
    cut = loquent.evaluate(lm, "classify", written(rows), settings=Settings(truncate="right"))
    assert cut.unanswered == 0 and cut.truncated == 1 and cut.dropped_tokens > 100


FAULTS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "task": ({"task": "clasify"}, UsageError, "classify"),
    "metric": ({"metrics": ["acuracy"]}, UsageError, "accuracy"),
    "metric of another task": ({"metrics": ["bleu"]}, UsageError, "no metric of the task"),
    "unused option": ({"settings": Settings(beams=4)}, UsageError, "does not look at beams"),
    "column": ({"settings": Settings(by="shopp")}, DataError, "'shop'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_refused_before_the_model_is_asked(
    fault: str, sentiment: LM, written: Written
) -> None:
    given, kind, told = FAULTS[fault]
    arguments = {"task": "classify", "data": written(reviews(4)), **given}
    with pytest.raises(kind, match=told):
        loquent.evaluate(sentiment, **arguments)


def test_all_faults_of_the_data_are_told_together(sentiment: LM, written: Written) -> None:
    rows = [*reviews(2), {"text": "好"}, {"label": "positive"}]
    with pytest.raises(DataError, match=r"data.jsonl:3[\s\S]*data.jsonl:4"):
        loquent.evaluate(sentiment, "classify", written(rows))
    rows = [*reviews(2), {"text": "好", "label": "positiv"}, {"text": "好", "label": "neutral"}]
    with pytest.raises(DataError, match=r"positiv'[\s\S]*'positive'[\s\S]*neutral"):
        loquent.evaluate(sentiment, "classify", written(rows))


def test_labels_may_be_the_numbers_of_classes(sentiment: LM, written: Written) -> None:
    rows = reviews(20)
    named = loquent.evaluate(sentiment, "classify", written(rows))
    numbers = [{**row, "label": int(row["label"] == "positive")} for row in rows]
    report: Report = loquent.evaluate(sentiment, "classify", written(numbers, "numbers.jsonl"))
    assert [each.value for each in report.scores] == [each.value for each in named.scores]
    assert report.notes and "1 = positive" in report.notes[0]
