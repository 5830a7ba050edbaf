"""Which record belongs to which part of the data."""

import json

import pytest

from loquent.errors import DataError
from loquent.runs.parts import DataPlan
from loquent.runs.sources import Sources
from loquent.tasks import TASKS

PARTS = ("train", "validation", "test")


def sources(task: str, **plan) -> Sources:
    return Sources(DataPlan(**plan), TASKS[task], lambda _note: None)


def texts(made: Sources, part: str) -> str:
    return "".join(record.values["text"] for record in made.records(part))


def test_a_running_text_is_cut_at_a_character(tmp_path) -> None:
    path = tmp_path / "text.txt"
    whole = "\n".join(f"line {number}" for number in range(1000))
    path.write_text(whole)
    made = sources("generate", train=(str(path),), validation_share=0.1, test_share=0.05)
    assert made.running
    parts = [texts(made, part) for part in PARTS]
    assert "".join(parts) == whole
    assert len(parts[2]) == int(len(whole) * 0.05)
    assert len(parts[1]) == int(len(whole) * 0.1)


def test_long_running_texts_keep_every_character(tmp_path) -> None:
    path = tmp_path / "text.txt"
    whole = "\n".join(f"line {number} of a long text" for number in range(100_000))
    path.write_text(whole)
    made = sources("generate", train=(str(path),), validation_share=0.3)
    records = list(made.records("train"))
    assert len(records) > 1
    assert records[-1].values["continues"] is True
    assert texts(made, "train") + texts(made, "validation") == whole


def test_records_fall_into_one_part_each(tmp_path) -> None:
    path = tmp_path / "data.jsonl"
    lines = [json.dumps({"text": f"text {number}", "label": number % 2}) for number in range(500)]
    path.write_text("\n".join(lines))
    made = sources("classify", train=(str(path),), validation_share=0.2, test_share=0.1)
    assert not made.running
    parts = {part: {each.values["text"] for each in made.records(part)} for part in PARTS}
    assert sum(map(len, parts.values())) == 500
    assert len(set.union(*parts.values())) == 500
    assert 70 < len(parts["validation"]) < 130


def test_named_files_are_whole_parts(tmp_path) -> None:
    for name in PARTS:
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}))
    names = {part: (str(tmp_path / f"{part}.jsonl"),) for part in PARTS}
    made = sources("generate", **names)
    assert {part: texts(made, part) for part in PARTS} == {part: part for part in PARTS}


def test_two_files_of_lines_are_pairs(tmp_path) -> None:
    (tmp_path / "train.de").write_text("die Katze\nder Hund\n")
    (tmp_path / "train.en").write_text("the cat\nthe dog\n")
    name = str(tmp_path / "train")
    made = sources("translate", train=(name,), source="de", target="en", validation_share=0)
    found = [record.values for record in made.records("train")]
    assert found == [
        {"source": "die Katze", "target": "the cat"},
        {"source": "der Hund", "target": "the dog"},
    ]
    assert not made.has("validation")
    before = made.state
    assert len(before[-1]) == 2
    (tmp_path / "train.en").write_text("the cat\nthe dog!\n")
    assert made.state != before
    (tmp_path / "train.en").write_text("the cat\n")
    with pytest.raises(DataError, match="they are no pairs"):
        list(made.records("train"))


def test_columns_may_have_other_names(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("satz,urteil\ngut,ja\nschlecht,nein\n")
    path = (str(tmp_path / "a.csv"),)
    made = sources("classify", train=path, text="satz", label="urteil", validation_share=0)
    assert [each.values for each in made.records("train")] == [
        {"text": "gut", "label": "ja"},
        {"text": "schlecht", "label": "nein"},
    ]
    with pytest.raises(DataError, match="Did you mean 'satz'"):
        list(sources("classify", train=path, text="satzz", label="urteil").records("train"))
