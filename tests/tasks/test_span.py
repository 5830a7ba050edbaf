"""Questions whose answers stand in a text: forms of records, windows, labels; SQuAD's files."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from loquent.data.reading import Record
from loquent.data.records import records
from loquent.data.shapes import USUAL
from loquent.errors import DataError
from loquent.tasks import TASKS, Reading
from loquent.text.folder import open_tokenizer
from loquent.text.tokenizer import Tokenizer

TEXT = "The Licensor grants a license to the user. The user accepts it."
ANSWER = {"text": "a license", "answer_start": TEXT.index("a license")}
SPAN = TASKS["span"]


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Callable[..., Path]) -> Tokenizer:
    found = open_tokenizer(tiny_bert("BertForQuestionAnswering"))
    assert found is not None
    return found


def normal(**values: object) -> Record:
    return SPAN.normal(Record(values, "data.jsonl:7", 6), USUAL)


@pytest.mark.parametrize(
    "answers",
    [
        {"answers": [ANSWER]},
        {"answers": [ANSWER, {"text": "user", "answer_start": 37}]},
        {"answers": {"text": [ANSWER["text"]], "answer_start": [ANSWER["answer_start"]]}},
        {"answer": ANSWER["text"], "answer_start": ANSWER["answer_start"]},
    ],
)
def test_the_usual_forms_of_answers_are_understood(answers: dict[str, object]) -> None:
    made = normal(question="What?", context=TEXT, **answers)
    start, stop = made.values["answer"]
    assert TEXT[start:stop] == "a license"


@pytest.mark.parametrize(
    "answers",
    [{"answers": []}, {"answers": {"text": [], "answer_start": []}}, {"answer_start": -1}],
)
def test_a_text_may_have_no_answer(answers: dict[str, object]) -> None:
    assert normal(question="What?", context=TEXT, **answers).values["answer"] is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"context": TEXT, "answers": []}, "'question' is missing"),
        ({"question": "a", "answers": []}, "'context' is missing"),
        ({"question": "a", "context": TEXT}, "has no answers"),
        ({"question": "a", "context": TEXT, "answers": "user"}, "not as it should be"),
        (
            {"question": "a", "context": TEXT, "answers": [{"text": "user", "answer_start": 3}]},
            r"'user' does not stand at character 3. It stands at 37",
        ),
        (
            {"question": "a", "context": TEXT, "answers": [{"text": "cat", "answer_start": 999}]},
            r"does not stand at character 999. The text does not hold it",
        ),
        ({"question": "a", "context": TEXT, "answers": [{"text": ""}]}, "an answer is"),
    ],
)
def test_wrong_answers_are_told_with_their_place(values: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=rf"data\.jsonl:7: .*{message}"):
        normal(**values)


def learned(
    tokenizer: Tokenizer, length: int, **values: object
) -> list[tuple[str, tuple[int, int]]]:
    """The text between the first and the last learned token of each window, and their places."""
    made = []
    reading = Reading(tokenizer=tokenizer, length=length)
    for example in SPAN.examples([normal(**values)], reading):
        assert example.labels is not None
        assert example.segments is not None
        first, last = example.labels.tolist()
        assert example.segments[first] == (0 if first == 0 else 1)
        assert len(example.ids) == len(example.segments)
        assert not length or len(example.ids) <= length
        made.append((tokenizer.decode(example.ids[first : last + 1].tolist()), (first, last)))
    return made


def test_the_tokens_of_the_answer_are_learned(tokenizer: Tokenizer) -> None:
    asked = {"question": "What does the Licensor grant?", "context": TEXT}
    [(text, _)] = learned(tokenizer, 0, answers=[ANSWER], **asked)
    assert text == "a license"
    [(_, places)] = learned(tokenizer, 0, answers=[], **asked)
    assert places == (0, 0)
    # part of a word: the token that holds it
    inside = {"text": "cens", "answer_start": TEXT.index("license") + 2}
    [(text, (first, last))] = learned(tokenizer, 0, answers=[inside], **asked)
    assert "cens" in text
    assert first == last or text in "license"


def test_long_texts_become_windows_some_of_which_hold_the_answer(tokenizer: Tokenizer) -> None:
    context = "The user pays for the work. " * 12 + TEXT + " Nobody else is named here." * 12
    answer = {"text": "a license", "answer_start": context.index("a license")}
    found = learned(tokenizer, 64, question="What?", context=context, answers=[answer])
    assert len(found) > 3
    held = [text for text, places in found if places != (0, 0)]
    assert held
    assert set(held) == {"a license"}
    assert [places for text, places in found if text != "a license"].count((0, 0)) == len(
        found
    ) - len(held)


def test_windows_hold_every_part_of_the_text(tokenizer: Tokenizer) -> None:
    licence = Path(__file__).parents[2].joinpath("LICENSE").read_text(encoding="utf-8")
    words = re.findall("[a-z]+", licence.lower())[:300]
    reading = Reading(tokenizer=tokenizer, length=50)
    asked = normal(question="what", context=" ".join(words), answers=[])
    texts = []
    for each in SPAN.examples([asked], reading):
        own = [id for id, of in zip(each.ids.tolist(), each.segments, strict=True) if of == 1]
        texts.append("".join(tokenizer.decode(own).split()))
    assert all(any("".join(words[at : at + 3]) in text for text in texts) for at in range(298))


SQUAD = {
    "version": "1.1",
    "data": [
        {
            "title": "License",
            "paragraphs": [
                {
                    "context": TEXT,
                    "qas": [
                        {"id": "a", "question": "What is granted?", "answers": [ANSWER]},
                        {
                            "id": "b", "question": "What is sold?", "is_impossible": True,
                            "answers": [], "plausible_answers": [ANSWER],
                        },
                    ],
                }
            ],
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
def test_files_of_squad_are_read(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(SQUAD, indent=indent), encoding="utf-8")
    rows = list(records(path))
    assert [row.values["id"] for row in rows] == ["a", "b"]
    assert [SPAN.normal(row, USUAL).values["answer"] for row in rows] == [(20, 29), None]


def test_broken_files_of_squad_are_told(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(SQUAD)[:-4], encoding="utf-8")
    with pytest.raises(DataError, match=r"squad\.json: is not as SQuAD's files are"):
        list(records(path))
    path.write_text('{"data": [{"paragraphs": [{"context": "a"}]}]}', encoding="utf-8")
    with pytest.raises(DataError, match="paragraph 1 is not as it should be: KeyError"):
        list(records(path))


@pytest.mark.data
def test_the_real_files_are_read_whole(data: Path) -> None:
    counts = {}
    for path in sorted((data / "squad_v1_qgsplit").glob("*.json")):
        rows = [SPAN.normal(record, USUAL) for record in records(path)]
        counts[path.name.split(".")[2]] = len(rows)
        assert all(row.values["answer"] is not None for row in rows)
    assert sorted(counts.values()) == [4961, 5609, 11877]


def test_a_reader_is_trained_and_answers(tmp_path: Path, tiny_bert: Callable[..., Path]) -> None:
    import loquent  # noqa: PLC0415

    names = ["Ada", "Ben", "Eva", "Tom", "Kim", "Leo"]
    things = ["license", "notice", "patent", "work", "copy", "claim"]
    path = tmp_path / "train.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(360):
            one, other = names[number % 6], names[(number // 6 + number % 6 + 1) % 6]
            thing = things[number % 5]
            context = f"{one} has the {thing} and {other} has the {things[(number + 1) % 6]}"
            row = {
                "question": f"who has the {thing}",
                "context": context,
                "answers": [{"text": one, "answer_start": 0}],
            }
            file.write(json.dumps(row) + "\n")
    loquent.train(
        {
            "task": "span",
            "out": str(tmp_path / "run"),
            "data": {"train": [str(path)]},
            "start": {"model": str(tiny_bert("BertForMaskedLM"))},
            "training": {"epochs": 8, "rate": 3e-3},
        }
    )
    made = loquent.answer(
        "who has the patent", "Leo has the patent and Ben has the copy", model=tmp_path / "run"
    )
    assert (made.text, made.start, made.stop) == ("Leo", 0, 3)
    assert made.how == "extractive"
