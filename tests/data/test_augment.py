"""Variants of records: what changes, what stays, and that the same seed makes the same."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, strategies

from loquent.data.augment import OPERATIONS, Augmentation, augmented, rewritten, told, varied
from loquent.data.reading import Record
from loquent.errors import ConfigError, DataError
from loquent.runs.plan import planned
from loquent.runs.sources import Sources
from loquent.tasks import TASKS

TEXT = "The quick brown fox jumps over the lazy dog while everybody sleeps"
CHINESE = "今天天气很好我们去公园散步吧"


def records(*texts: str) -> list[Record]:
    return [
        Record({"text": text, "label": "good"}, f"a.jsonl:{number + 1}", number)
        for number, text in enumerate(texts)
    ]


def of(text: str, name: str, share: float = 0.1, seed: int = 0) -> str | None:
    return varied(text, name, share, random.Random(seed))


@pytest.mark.parametrize("seed", range(20))
def test_what_each_operation_changes(seed: int) -> None:
    words = TEXT.split()
    swapped, deleted, inserted = (
        of(TEXT, name, 0.2, seed) for name in ("swap", "delete", "insert")
    )
    assert Counter(swapped.split()) == Counter(words)
    assert swapped != TEXT
    assert not Counter(deleted.split()) - Counter(words)
    assert len(deleted.split()) == len(words) - 2
    assert len(inserted.split()) == len(words) + 2
    assert set(inserted.split()) == set(words)
    mistyped, transposed = of(TEXT, "keyboard", 0.2, seed), of(TEXT, "transpose", 0.2, seed)
    for text, most in ((mistyped, 1), (transposed, 2)):
        assert len(text) == len(TEXT)
        pairs = [(a, b) for a, b in zip(text.split(), words, strict=True) if a != b]
        assert 1 <= len(pairs) <= 2
        for a, b in pairs:
            assert sum(x != y for x, y in zip(a, b, strict=True)) == most
    pairs = zip(transposed.split(), words, strict=True)
    assert all(sorted(a) == sorted(b) and (a[0], a[-1]) == (b[0], b[-1]) for a, b in pairs)


def test_a_letter_becomes_its_neighbor_on_the_keyboard() -> None:
    seen = {of("Q", "keyboard", seed=seed) for seed in range(20)}
    assert seen == {"W"}
    assert {of("g", "keyboard", seed=seed) for seed in range(40)} == {"f", "h"}


def test_in_chinese_characters_are_what_words_are_elsewhere() -> None:
    assert Counter(of(CHINESE, "swap")) == Counter(CHINESE)
    assert len(of(CHINESE, "delete")) == len(CHINESE) - 1
    longer = of(CHINESE, "insert")
    assert len(longer) == len(CHINESE) + 1
    assert " " not in longer
    assert of(CHINESE, "keyboard") is None
    mixed = of("我 love 你", "swap")
    assert Counter(mixed.split()) == Counter(["我", "love", "你"])


@given(strategies.text(max_size=60), strategies.sampled_from(sorted(OPERATIONS)))
def test_any_text_has_another_form_or_none(text: str, name: str) -> None:
    found = of(text, name, 0.5)
    assert found is None or (found != text and found.strip())


def test_spaces_stay_where_they_were() -> None:
    text = "  one\ttwo\n\nthree  "
    made = of(text, "swap")
    assert [each for each in made if each.isspace()] == [each for each in text if each.isspace()]


def test_variants_follow_their_record_and_keep_its_label() -> None:
    settings = Augmentation(operations=("swap", "delete"), copies=3)
    made: Counter[str] = Counter()
    found = list(augmented(records(TEXT, "alone", CHINESE), settings, made))
    assert [each.values["text"] for each in found].count(TEXT) == 1
    assert {each.values["label"] for each in found} == {"good"}
    assert [each.where for each in found[:4]] == [
        "a.jsonl:1", "a.jsonl:1 (swap)", "a.jsonl:1 (delete)", "a.jsonl:1 (swap)"
    ]  # fmt: skip
    assert made == {"swap": 4, "delete": 2, "none": 3}
    assert told(made) == "6 variants were added (swap 4, delete 2); 3 had no other form."


def test_a_variant_depends_on_the_seed_and_its_number_alone() -> None:
    settings = Augmentation(operations=tuple(OPERATIONS), copies=5)
    every = [each.values for each in augmented(records(TEXT, CHINESE), settings)]
    assert every == [each.values for each in augmented(records(TEXT, CHINESE), settings)]
    second = [each.values for each in augmented(records(TEXT, CHINESE)[1:], settings)]
    assert every[-len(second) :] == second
    other = Augmentation(operations=tuple(OPERATIONS), copies=5, seed=1)
    assert every != [each.values for each in augmented(records(TEXT, CHINESE), other)]


def test_wrong_settings_and_records_are_told() -> None:
    with pytest.raises(ConfigError) as fault:
        Augmentation(operations=("swop",), share=0.0, copies=0)
    for part in ("'swop'", "'swap'", "share", "copies"):
        assert part in str(fault.value)
    chat = Record({"messages": []}, "b.jsonl:7", 6)
    with pytest.raises(DataError, match=r"b\.jsonl:7") as wrong:
        list(augmented([chat], Augmentation(operations=("swap",))))
    assert "no text of which variants could be made" in str(wrong.value)


def test_what_a_model_makes_of_texts_stands_behind_them() -> None:
    made: Counter[str] = Counter()
    several = records("one", "two", "three")
    found = list(
        rewritten(several, lambda texts: [t.replace("o", "0") for t in texts], made, size=2)
    )
    texts = [each.values["text"] for each in found]
    assert texts == ["one", "two", "0ne", "tw0", "three"]
    assert made == {"rewritten": 2, "none": 1}


def test_only_what_is_learned_is_varied(tmp_path: Path) -> None:
    lines = [f'{{"text": "{TEXT} {number}", "label": {number % 2}}}' for number in range(200)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    plan = planned(
        {
            "task": "classify",
            "out": str(tmp_path / "run"),
            "data": {"train": str(tmp_path / "a.jsonl"), "augment": "swap"},
        }
    )
    sources = Sources(plan.data, TASKS["classify"], lambda text: None)
    plain = {part: len(list(sources.records(part))) for part in ("train", "validation")}
    assert sum(plain.values()) == 200
    learned = list(sources.records("train", varied=True))
    assert len(learned) == 2 * plain["train"]
    assert sources.variants == {"swap": plain["train"]}
    assert [record.index for record in learned] == list(range(len(learned)))
    assert len(list(sources.records("validation", varied=True))) == plain["validation"]
