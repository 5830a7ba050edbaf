"""The applications as single calls: one text or several, by a name, a folder or an open model."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM

TEXT = "The work is licensed to the user."


def test_one_text_gives_one_result_and_several_give_a_list(
    tiny_bert: Callable[..., Path], tiny_t5: LM
) -> None:
    head = tiny_bert("BertForSequenceClassification", num_labels=3)
    lm = loquent.open(head)
    one = loquent.classify(TEXT, model=head)
    assert loquent.classify([TEXT, TEXT], model=lm) == [one, one]
    assert loquent.classify([], model=lm) == []
    asked = {"model": tiny_t5, "source": "en", "target": "de"}
    assert [loquent.translate(TEXT, **asked)] == loquent.translate([TEXT], **asked)
    assert loquent.translate([], **asked) == []
    assert [loquent.summarize(TEXT, how="lead")] == loquent.summarize([TEXT], how="lead")
    masked = loquent.open(tiny_bert("BertForMaskedLM"))
    assert [loquent.fill("a <mask>", model=masked)] == loquent.fill(["a <mask>"], model=masked)
    body = loquent.open(tiny_bert("BertModel"))
    single, both = loquent.embed(TEXT, model=body), loquent.embed([TEXT, "x"], model=body)
    np.testing.assert_allclose(single, both[0], atol=1e-6)
    assert loquent.embed([], model=body).shape == (0, 32)
    reader = tiny_bert("BertForQuestionAnswering")
    made = loquent.answer("What?", TEXT, model=reader, threshold=1e9)
    assert TEXT[made.start : made.stop] == made.text


def test_a_folder_is_searched_in_one_call(tmp_path: Path, tiny_bert: Callable[..., Path]) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    [hit] = loquent.search(tmp_path, "license", model=tiny_bert("BertModel"))
    assert (hit.file, hit.line, hit.text) == ("a.txt", 1, TEXT)


def test_all_results_become_plain_values(tiny_bert: Callable[..., Path], tiny_t5: LM) -> None:
    import json  # noqa: PLC0415

    results = [
        loquent.classify(TEXT, model=tiny_bert("BertForSequenceClassification", num_labels=3)),
        loquent.translate(TEXT, model=tiny_t5, source="en", target="de"),
        loquent.summarize(TEXT, how="central"),
        loquent.answer("What?", TEXT, model=tiny_bert("BertForQuestionAnswering")),
        loquent.fill("a <mask>", model=tiny_bert("BertForMaskedLM")),
    ]
    for each in results:
        plain = each.plain()
        assert json.loads(json.dumps(plain)) == plain
        with pytest.raises(AttributeError):
            each.text = ""


def test_answering_needs_no_torch(tiny_bert: Callable[..., Path]) -> None:
    folder = tiny_bert("BertForSequenceClassification", num_labels=3)
    probe = (
        "import sys, loquent\n"
        f"made = loquent.classify('the work', model={str(folder)!r})\n"
        "print(made.label, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1:] == ["False", "False"]
