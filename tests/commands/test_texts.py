"""The commands over texts, each with what it should say and with what it should refuse."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loquent.commands import run as command

MB = "word " * 210_000  # a line of over 1 MB


@pytest.fixture
def said(capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command: its status, its output and what it told."""

    def made(*arguments: object) -> tuple[int, str, str]:
        status = command(list(map(str, arguments)))
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return status, told.out, told.err

    return made


@pytest.fixture
def models(tiny_bert: Callable[..., Path], tiny_gpt2: Path) -> dict[str, Path]:
    """A tiny model for each command."""
    return {
        "classify": tiny_bert("BertForSequenceClassification", num_labels=3),
        "summarize": tiny_gpt2,
        "translate": tiny_gpt2,
        "answer": tiny_bert("BertForQuestionAnswering"),
        "embed": tiny_bert("BertModel"),
        "fill": tiny_bert("BertForMaskedLM"),
    }


def worded(name: str, text: str) -> list[str]:
    """A command that asks about a text."""
    return {
        "translate": ["translate", "--from", "en", "--to", "de", text],
        "answer": ["answer", "What is it?", "--text", text],
        "fill": ["fill", text if not text.strip() else f"{text} <mask>"],
    }.get(name, [name, text])


ALL = ["classify", "summarize", "translate", "answer", "embed", "fill"]


@pytest.mark.parametrize("name", ALL)
def test_an_empty_text_is_told(name: str, models, said) -> None:
    for text in ("", " \n "):
        status, out, told = said(*worded(name, text), "-m", models[name])
        assert (status, out) == (1, "")
        assert "the text is empty" in told


@pytest.mark.parametrize("name", ALL)
def test_a_line_of_a_megabyte_is_told(name: str, models, said) -> None:
    status, out, told = said(*worded(name, MB), "-m", models[name])
    assert (status, out) == (1, "")
    if name == "summarize":
        assert "the model reads 128 tokens, too few" in told
    elif name == "translate":
        assert "sentences; 1000 are translated at most" in told
    else:
        assert "tokens" in told
        assert "truncate 'left' or 'right'" in told


@pytest.mark.parametrize("name", ["classify", "embed"])
def test_a_line_of_a_megabyte_is_cut_where_asked_for(name: str, models, said) -> None:
    status, out, _ = said(*worded(name, MB), "-m", models[name], "--truncate", "left")
    assert status == 0
    assert out


@pytest.mark.parametrize("name", ["classify", "answer", "embed", "fill"])
def test_a_language_that_the_model_does_not_know_is_told(name: str, models, said) -> None:
    status, out, told = said(*worded(name, "今天天气很好我们一起去公园散步"), "-m", models[name])
    assert (status, out) == (1, "")
    assert "does not know most of the characters" in told


@pytest.mark.parametrize("name", ALL)
def test_wrong_columns_are_told_with_file_and_line(name: str, models, said, tmp_path) -> None:
    given = tmp_path / "rows.csv"
    given.write_text("number,name\n1,one\n2,two\n", encoding="utf-8")
    more = ["--to", "de"] if name == "translate" else []
    out = tmp_path / "out.jsonl"
    status, _, told = said(name, "-m", models[name], "--in", given, "--out", out, *more)
    assert status == 1
    assert "rows.csv:2: has no column" in told
    assert "It has number, name" in told
    assert not out.exists()


@pytest.mark.parametrize("name", ALL)
def test_rows_are_answered_as_each_alone(name: str, models, said, tmp_path) -> None:
    given, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    texts = ["The work is licensed to the user.", "Each contributor grants you a license."]
    if name == "fill":
        texts = [f"{each} <mask>" for each in texts]
    rows = [{"text": each, "question": "What is it?"} for each in texts]
    given.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    more = {
        "translate": ["--from", "en", "--to", "de"], "summarize": ["--words", "4"]
    }.get(name, [])  # fmt: skip
    status, _, told = said(
        name, "-m", models[name], "--in", given, "--out", out, "--bits", 32, *more
    )
    assert status == 0, told
    made = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    for text, row in zip(texts, made, strict=True):
        asked = worded(name, text.removesuffix(" <mask>"))
        extra = more if name == "summarize" else []
        status, shown, _ = said(*asked, "-m", models[name], "--bits", 32, *extra, "--json")
        alone = json.loads(shown)
        for key, value in alone.items():
            found = row.get(f"{name}_{key}", row.get(key))
            if key in ("probability", "probabilities", "embedding"):
                assert found == pytest.approx(value, abs=1e-5)
            else:
                assert found == value, key


def test_texts_come_from_files_and_standard_input(
    said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("One sentence. Two sentences. Three.", encoding="utf-8")
    lead = ("summarize", "--how", "lead", "--sentences", 1)
    assert said(*lead, path)[:2] == (0, "One sentence.\n")
    assert f"[read from {path}]" in said(*lead, path)[2]
    assert said(*lead, path, "-q")[2] == ""
    given = io.TextIOWrapper(io.BytesIO(path.read_bytes()))
    monkeypatch.setattr(sys, "stdin", given)
    assert said(*lead, "-")[:2] == (0, "One sentence.\n")
    status, _, told = said(*lead, tmp_path / "lettre.txt")
    assert status == 1
    assert "cannot be read: No such file" in told
    path.write_bytes(b"caf\xe9")
    assert "is not UTF-8: byte 3" in said(*lead, path)[2]
    assert said(*lead, "a.txt and more. Two.")[:2] == (0, "a.txt and more.\n")


def test_labels_are_checked(models, said) -> None:
    status, _, told = said("classify", "the work", "-m", models["classify"], "--labels", "0,7")
    assert status == 1
    assert "no label '7'" in told
    status, _, told = said("classify", "the work", "-m", models["embed"])
    assert status == 2
    assert "no classes of its own" in told
    status, out, told = said(
        "classify", "the work", "-m", models["embed"], "--labels", "law,sport", "--json"
    )
    assert status == 0
    assert sum(json.loads(out)["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_calibration_by_labeled_rows(models, said, tmp_path: Path) -> None:
    rows = tmp_path / "labeled.csv"
    lines = [f"the work number {number} is licensed,{number % 3}" for number in range(30)]
    rows.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    asked = ("classify", "-m", models["classify"], "--calibrate", rows)
    status, out, _ = said(*asked, "--recall", 0.5, "--json")
    assert status == 0
    made = json.loads(out)
    assert made["examples"] == 30
    assert made["temperature"] > 0
    assert all(each["recall"] >= 0.5 for each in made["thresholds"])
    status, out, told = said(*asked, "the work")
    assert status == 0
    assert "calibration error" in told
    status, _, told = said(*asked, "--precision", 2)
    assert status == 2
    assert "no threshold gives" in told
    rows.write_text("text,label\nthe work,9\nthe rest,0\n", encoding="utf-8")
    status, _, told = said(*asked)
    assert status == 1
    assert "'9' is none of the model's" in told
    status, _, told = said("classify", "a", "-m", models["classify"], "--recall", 0.5)
    assert status == 2
    assert "--calibrate" in told


def test_a_mask_that_is_missing_is_told(models, said) -> None:
    status, out, told = said("fill", "the work of the user", "-m", models["fill"])
    assert (status, out) == (1, "")
    assert "no hidden word. Mark it" in told


def test_questions_need_a_text(models, said, tmp_path: Path) -> None:
    model = ("-m", models["answer"])
    assert "give the text" in said("answer", "Who?", *model)[2]
    assert "give the text" in said("answer", "Who?", "--text", "a", "--file", "b", *model)[2]
    assert "there is no question" in said("answer", "--text", "a", *model)[2]
    assert "cannot be read" in said("answer", "Who?", "--file", tmp_path / "none", *model)[2]
    status, out, told = said(
        "answer", "Who?", "--text", "the work of the user", *model, "--threshold", "1e9"
    )
    assert status == 0
    assert out.strip() in "the work of the user"
    assert "characters" in told
    status, out, _ = said("answer", "Who?", "--text", "the work", *model, "--threshold=-1e9")
    assert (status, out) == (0, "(the text has no answer)\n")


def test_terms_and_languages_are_checked(models, said, tmp_path: Path) -> None:
    asked = ("translate", "The work.", "-m", models["translate"], "--to")
    assert said(*asked, "xx")[0] == 2
    assert "no language 'xx'" in said(*asked, "xx")[2]
    assert "is not WORD=MEANING" in said(*asked, "de", "--from", "en", "--term", "work")[2]
    status, _, told = said("translate", "ok", "-m", models["translate"], "--to", "de")
    assert status == 1
    assert "cannot be told" in told
    glossary = tmp_path / "terms.csv"
    glossary.write_text("work,Werk\nuser,Nutzer\n", encoding="utf-8")
    status, out, _ = said(*asked, "de", "--from", "en", "--glossary", glossary, "--json")
    assert status == 0
    assert "Werk" in json.loads(out)["translation"]


def test_no_model_in_the_catalogue_is_told(said) -> None:
    status, _, told = said("translate", "Terve, mitä kuuluu?", "--from", "fi", "--to", "th")
    assert status == 2
    assert "no model to translate in Finnish and Thai. Name one (--model)" in told


def test_a_folder_is_searched(models, said, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The work is licensed.\n\nThe user pays.\n", "utf-8")
    (tmp_path / "b.bin").write_bytes(b"\xff\0\1")
    status, out, told = said("search", tmp_path, "license", "-m", models["embed"], "--top", 1)
    assert status == 0
    assert out.startswith("a.txt:1  ")
    assert "1 files in 1 pieces, 1 read anew, 1 left out" in told
    assert "left out: b.bin: it is not UTF-8" in told
    status, out, told = said("search", tmp_path, "license", "-m", models["embed"], "--json")
    assert json.loads(out)["file"] == "a.txt"
    assert "0 read anew" in told
    assert said("search", tmp_path, " ", "-m", models["embed"])[0] == 2
    assert "is no folder" in said("search", tmp_path / "no", "a", "-m", models["embed"])[2]
    assert "does not embed" in said("search", tmp_path, "a", "-m", models["fill"])[2]


def test_a_model_that_was_not_made_for_a_language_is_told() -> None:
    from loquent.tasks.defaults import unsuited  # noqa: PLC0415

    told = unsuited("smollm2-135m", "今天天气很好，我们一起去公园散步。", "summarize")
    assert told.startswith("smollm2-135m was made for English, and the text seems to be Chinese; ")
    assert told.endswith(" knows it")
    assert unsuited("smollm2-135m", "The weather is fine today, is it not?", "summarize") == ""
    assert unsuited("./my/own", "今天天气很好，我们一起去公园散步。", "summarize") == ""


def test_the_best_fitting_model_that_is_at_hand_is_taken() -> None:
    from loquent.checkpoints.catalogue import Entry  # noqa: PLC0415
    from loquent.errors import UsageError  # noqa: PLC0415
    from loquent.tasks.defaults import chosen  # noqa: PLC0415

    def entry(name: str, tasks: tuple[str, ...], source: str, *languages: str) -> Entry:
        return Entry(name, tasks, 1, 1, "MIT", languages, f"{source}:x")

    entries = (
        entry("writer", ("chat",), "package", "en"),
        entry("hub-reader", ("answer",), "hf", "en"),
        entry("reader", ("chat", "answer"), "loquent", "en", "zh"),
        entry("german", ("answer",), "package", "de"),
    )
    assert chosen("answer", ["en"], entries) == ("reader", ("hub-reader", "writer"))
    assert chosen("answer", ["zh"], entries) == ("reader", ())
    assert chosen("answer", ["de"], entries).name == "german"
    assert chosen("answer", ["en"], entries[:2]) == ("writer", ("hub-reader",))
    with pytest.raises(UsageError, match="no model to answer in French"):
        chosen("answer", ["fr"], entries)
    with pytest.raises(UsageError, match="no model to fill in hidden words"):
        chosen("fill", (), entries)


def test_a_text_that_is_too_long_for_a_name_is_a_text(said) -> None:
    text = "One sentence of some words. " * 20
    assert 255 < len(text) < 1000
    asked = ("summarize", "--how", "lead", "--sentences", "1", text)
    assert said(*asked)[:2] == (0, "One sentence of some words.\n")


def test_a_translator_of_one_direction_is_taken_for_that_alone() -> None:
    from loquent.checkpoints.catalogue import Entry  # noqa: PLC0415
    from loquent.tasks.defaults import chosen  # noqa: PLC0415

    both = Entry("both", ("translate",), 1, 1, "MIT", ("en", "de", "fr"), "package:x")
    forth = Entry("forth", ("translate",), 1, 1, "MIT", ("en", "de"), "loquent:x", one_way=True)
    assert chosen("translate", ["en", "de"], (forth, both)) == ("forth", ("both",))
    assert chosen("translate", ["de", "en"], (forth, both)) == ("both", ())
    assert chosen("translate", ["en", "fr"], (forth, both)) == ("both", ())
    assert chosen("translate", ["de"], (forth, both)) == ("forth", ("both",))


def test_what_was_made_for_it_goes_before_what_can_do_it_too() -> None:
    from loquent.tasks.defaults import chosen  # noqa: PLC0415

    assert chosen("summarize")[0] == "summarize-papers"
    assert chosen("fill", ["en"]).name == "smollm2-135m"


def test_the_language_of_rows_is_that_of_the_first(said, tmp_path: Path) -> None:
    given = tmp_path / "rows.jsonl"
    rows = ["", "房间很干净，服务员很热情，下次还会来。"]
    given.write_text("".join(json.dumps({"text": each}) + "\n" for each in rows), "utf-8")
    out = tmp_path / "out.jsonl"
    status, _, told = said("classify", "--in", given, "--out", out, "--offline")
    assert "[model: sentiment-zh" in told
    assert status == 1  # for the row without a text
    assert json.loads(out.read_text("utf-8").splitlines()[1])["label"] == "positive"
