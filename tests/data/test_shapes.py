"""What records are, whatever their columns are called."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loquent.data.reading import Record
from loquent.data.records import records
from loquent.data.shapes import Columns, kind_of, normal
from loquent.errors import DataError

SAID = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

TOLD = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]


def record(values: Mapping[str, Any]) -> Record:
    return Record(values, "a.jsonl:3", 2)


@pytest.mark.parametrize(
    ("values", "kind", "made"),
    [
        ({"text": "a"}, "text", {"text": "a"}),
        ({"Content": "a", "id": 3}, "text", {"text": "a"}),
        ({"text": "a", "continued": True}, "text", {"text": "a", "continued": True}),
        ({"sentence": "a", "label": 1}, "label", {"text": "a", "label": "1"}),
        ({"tweet": "a", "class": "2", "count": "3"}, "label", {"text": "a", "label": "2"}),
        ({"text": "a", "labels": ["x", " y "]}, "label", {"text": "a", "label": ["x", "y"]}),
        ({"text": "a", "label": True}, "label", {"text": "a", "label": "true"}),
        ({"text": "a", "label": 2.0}, "label", {"text": "a", "label": "2"}),
        ({"text": "a", "target": 1}, "label", {"text": "a", "label": "1"}),
        ({"source": "a", "target": "b"}, "pair", {"source": "a", "target": "b"}),
        (
            {"source": ["a.", "b."], "target": ["c", "d"]},
            "pair",
            {"source": "a. b.", "target": "c"},
        ),
        ({"de": "a", "en": "b"}, "pair", {"source": "a", "target": "b"}),
        (
            {"id": 1, "translation": {"en": "a", "zh_CN": "b"}},
            "pair",
            {"source": "a", "target": "b"},
        ),
        ({"article": "a", "highlights": "b"}, "pair", {"source": "a", "target": "b"}),
        ({"prompt": "a", "completion": "b"}, "prompt", {"prompt": "a", "completion": "b"}),
        ({"question": "a", "answer": "b"}, "prompt", {"prompt": "a", "completion": "b"}),
        (  # Alpaca
            {"instruction": "a", "input": "", "output": "b"},
            "prompt",
            {"prompt": "a", "completion": "b"},
        ),
        (
            {"instruction": "a", "input": "i", "output": "b"},
            "prompt",
            {"prompt": "a\n\ni", "completion": "b"},
        ),
        (
            {"system": "s", "instruction": "a", "output": "b"},
            "messages",
            {
                "messages": [
                    {"role": "system", "content": "s"},
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "b"},
                ]
            },
        ),
        ({"messages": SAID}, "messages", {"messages": SAID}),
        ({"messages": SAID, "tools": [{}]}, "messages", {"messages": SAID, "tools": [{}]}),
        (  # ShareGPT
            {
                "conversations": [
                    {"from": "human", "value": "Hi"},
                    {"from": "gpt", "value": "Hello"},
                ]
            },
            "messages",
            {"messages": SAID},
        ),
        (
            {"system": "s", "conversations": [{"from": "human", "value": "Hi"}]},
            "messages",
            {"messages": [{"role": "system", "content": "s"}, SAID[0]]},
        ),
        (  # TRL: what the assistant said in a prompt is not learned
            {"prompt": SAID, "completion": SAID},
            "messages",
            {"messages": [SAID[0], {**SAID[1], "weight": 0}, *SAID]},
        ),
        (
            {"prompt": "a", "chosen": "b", "rejected": "c"},
            "preference",
            {"prompt": "a", "chosen": "b", "rejected": "c"},
        ),
        ({"chosen": SAID, "rejected": SAID}, "preference", None),
        (
            {"prompt": "a", "completion": "b", "label": False},
            "preference",
            {"prompt": "a", "rejected": "b"},
        ),
    ],
)
def test_records_come_to_one_form(
    values: Mapping[str, Any], kind: str, made: Mapping[str, Any] | None
) -> None:
    assert kind_of(record(values)) == kind
    found = normal(record(values))
    assert (found.where, found.index) == ("a.jsonl:3", 2)
    if made is not None:
        assert found.values == made


@pytest.mark.parametrize(
    ("columns", "kind", "made"),
    [
        (Columns(text="body"), "text", {"text": "b"}),
        (Columns(text="body", label="stars"), "label", {"text": "b", "label": "5"}),
        (Columns(label="stars"), "label", {"text": "t", "label": "5"}),
        (Columns(source="zh", target="en"), "pair", {"source": "z", "target": "e"}),
        (Columns(prompt="body", completion="en"), "prompt", {"prompt": "b", "completion": "e"}),
    ],
)
def test_named_columns_win_over_usual_names(
    columns: Columns, kind: str, made: Mapping[str, Any]
) -> None:
    values = {"text": "t", "body": "b", "stars": 5, "zh": "z", "en": "e"}
    assert kind_of(record(values), columns) == kind
    assert normal(record(values), columns).values == made


def test_a_label_beside_a_named_text_is_found() -> None:
    values = {"x": "t", "label": "l"}
    assert normal(record(values), Columns(text="x")).values == {"text": "t", "label": "l"}


@pytest.mark.parametrize(
    ("values", "columns", "words"),
    [
        ({"texts": "a"}, Columns(), "its columns are 'texts'"),
        ({"body": "a"}, Columns(text="bodi"), "has no column 'bodi'. Did you mean 'body'?"),
        ({"x": "a", "y": "b"}, Columns(label="y"), "which column is the text beside 'y'?"),
        ({"text": None}, Columns(), "'text' is missing, not text"),
        ({"text": "a", "label": ""}, Columns(), "has no label"),
        ({"text": "a", "label": float("nan")}, Columns(), "the label is not a number"),
        ({"text": "a", "label": {"x": 1}}, Columns(), "the label is {'x': 1}"),
        ({"source": "a", "target": None}, Columns(), "'target' is missing"),
        ({"source": "a", "target": 3.5}, Columns(source="source", target="target"), "is float 3.5"),
        ({"prompt": "a", "completion": None}, Columns(), "'completion' is missing"),
        ({"chosen": 1, "rejected": "b"}, Columns(), "'chosen' is int 1"),
        ({"messages": []}, Columns(), "'messages' is an empty list"),
        ({"messages": ["Hi"]}, Columns(), r"messages\[0\] is str"),
        ({"messages": [{"content": "Hi"}]}, Columns(), r"messages\[0\] has no role"),
        (
            {"conversations": [{"from": "humn", "value": "Hi"}]},
            Columns(),
            "unknown speaker 'humn'. Did you mean 'human'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    values: Mapping[str, Any], columns: Columns, words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        normal(record(values), columns)
    assert str(caught.value).startswith("a.jsonl:3: ")


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "options", "columns", "count", "kind"),
    [
        ("sst2/train.tsv", {}, Columns(), 6920, "label"),
        ("imdb/test.jsonl.gz", {}, Columns(), 25_000, "label"),
        ("aeslc/dev.jsonl", {}, Columns(source="email", target="subject"), 1960, "pair"),
        ("scitldr/dev.jsonl", {}, Columns(), 619, "pair"),
        ("multi30k/val.{de,en}", {}, Columns(source="de", target="en"), 1014, "pair"),
        ("sms_spam/SMSSpamCollection", {"format": "tsv"}, Columns(), 5574, "label"),
        ("zh_thucnews_titles/dev.txt", {"format": "tsv"}, Columns(), 10_000, "label"),
        ("zh_ChnSentiCorp/dev.tsv", {}, Columns(), 1200, "label"),
        ("hate_offensive_tweets/labeled_data.csv", {}, Columns(), 24_783, "label"),
        (
            "ag_news_test/test.csv",
            {"columns": ("label", "title", "text")},
            Columns(),
            7600,
            "label",
        ),
        ("rt_polarity/rt-polarity.pos", {"format": "lines"}, Columns(), 5331, "text"),
        ("wmt_flores/wmt13.en-es.tsv", {}, Columns(), None, "pair"),
        ("tinyshakespeare/input.txt", {}, Columns(), 2, "text"),
    ],
)
def test_real_sets_are_read_whole(
    data: Path, path: str, options: dict[str, Any], columns: Columns, count: int, kind: str
) -> None:
    faults: list[DataError] = []
    found = list(records(data / path, on_fault=faults.append, **options))
    assert not faults
    assert count is None or len(found) == count
    assert {kind_of(each, columns) for each in found} == {kind}
