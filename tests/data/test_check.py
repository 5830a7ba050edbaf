"""What a look over data finds, beside brute force and known answers."""

import json
import random
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loquent.data.check import check
from loquent.data.distinct import Places, Seen
from loquent.data.measure import Lengths
from loquent.data.spelling import distance, suggestions


def write(path: Path, values: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in values), encoding="utf-8")
    return path


def test_repeats_are_those_that_a_dictionary_finds(tmp_path: Path) -> None:
    generator = random.Random(4)
    train = [
        {"text": f"t{generator.randrange(3000)}", "label": generator.choice("ab")}
        for _ in range(4000)
    ]
    test = [{"text": f"t{generator.randrange(6000)}", "label": "a"} for _ in range(1000)]
    report = check(write(tmp_path / "a.jsonl", train), test=write(tmp_path / "b.jsonl", test))
    texts = Counter(each["text"] for each in train)
    in_test = Counter(each["text"] for each in test)
    assert report.duplicates.count == len(train) - len(texts)
    assert report.overlap.count == sum(n for text, n in in_test.items() if text in texts)
    assert report.test_duplicates.count == len(test) - len(in_test)
    labels = defaultdict(list)
    for each in [*train, *test]:
        labels[each["text"]].append(each["label"])
    conflicts = sum(sum(one != found[0] for one in found) for found in labels.values())
    assert report.conflicts.count == conflicts
    first: dict[object, int] = {}
    repeated = []
    for line, each in enumerate(train, 1):
        if each["text"] in first:
            repeated.append(f"a.jsonl:{line} (as a.jsonl:{first[each['text']]})")
        first.setdefault(each["text"], line)
    assert list(report.duplicates.places) == repeated[:5]


def test_keys_are_compared_across_what_is_written_at_once(tmp_path: Path) -> None:
    seen, places = Seen(tmp_path), Places(tmp_path)
    generator = np.random.default_rng(0)
    keys = generator.integers(0, 2**63, 200_000).tolist()
    for line, key in enumerate([*keys, *keys[:5]], 1):
        seen.add(key * 2 + 1, 0, places.number(f"a: b.jsonl:{line}", test=False))
    found = seen.repeats()
    assert found.duplicates.count == 5
    told = places.told([place for pair in found.duplicates.pairs for place in pair])
    places.close()
    assert sorted(told.values())[:2] == ["a: b.jsonl:1", "a: b.jsonl:2"]


def test_names_of_many_files_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for number in range(300):
        (folder / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 3}" / f"{number:03}.txt").write_text(f"text {number % 299}")
    report = check(folder)
    assert report.labels == {"0": 100, "1": 100, "2": 100}
    assert report.duplicates.places == ("2/299.txt:1 (as 0/000.txt:1)",)
    assert report.conflicts.count == 1


@cache
def slow_distance(one: str, other: str) -> int:
    """The same by its definition."""
    if not one or not other:
        return len(one) + len(other)
    found = min(
        slow_distance(one[:-1], other) + 1,
        slow_distance(one, other[:-1]) + 1,
        slow_distance(one[:-1], other[:-1]) + (one[-1] != other[-1]),
    )
    if one[-2:] == other[-2:][::-1] and len(one) > 1 and len(other) > 1:
        found = min(found, slow_distance(one[:-2], other[:-2]) + 1)
    return found


@settings(max_examples=200, deadline=None)
@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_distances_are_as_defined(one: str, other: str) -> None:
    assert distance(one, other) == slow_distance(one, other)


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"positive": 900, "negative": 800, "positve": 2}, {"positve": "positive"}),
        ({"positive": 900, "negative": 800, "poistive": 1}, {"poistive": "positive"}),
        ({"positive": 900, "Positive": 800}, {"Positive": "positive"}),
        ({"not spam": 900, "not_spam": 30}, {"not_spam": "not spam"}),
        ({"positive": 900, "p": 2}, {"p": "positive"}),
        ({"1": 900, "2": 3}, {}),
        ({"class 1": 900, "class 2": 3}, {}),
        ({"pos": 900, "neg": 3}, {}),
        ({"positive": 900, "negative": 3}, {}),
        ({"sport": 900, "sports": 700}, {}),  # both are frequent
        ({"politics": 500, "science": 2}, {}),
        ({f"label {n}": 1 for n in range(2000)}, {}),
    ],
)
def test_slips_are_told_from_other_labels(counts: dict[str, int], found: dict[str, str]) -> None:
    assert {each.label: each.meant for each in suggestions(counts)} == found


def test_lengths_are_those_of_numpy() -> None:
    values = np.random.default_rng(2).geometric(0.01, 5001)
    lengths = Lengths()
    for value in values.tolist():
        lengths.add(value)
    told = lengths.summary()
    assert told["longest"] == values.max() and told["median"] == np.median(values)
    assert told["mean"] == pytest.approx(values.mean(), abs=0.06)
    assert told["p95"] == np.quantile(values, 0.95, method="inverted_cdf")
    assert lengths.over(200) == (values > 200).sum()
    lengths.add(1_234_567)
    assert lengths.summary()["longest"] == 1_234_567 and lengths.over(1_000_000) == 1
    assert Lengths().summary()["longest"] == 0


def test_lengths_of_tokens_are_sampled_where_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loquent.data.check._ENCODED", 100)
    values = [{"text": "x " * (n % 10)} for n in range(1, 1000)]
    report = check(write(tmp_path / "a.jsonl", values), encode=str.split, length=8)
    assert report.unit == "tokens" and 100 < report.measured < 500
    assert "measured records" in report.warnings()[-1]
    assert report.lengths["longest"] == 9


@pytest.mark.parametrize(
    ("values", "longest"),
    [
        ({"text": "abc", "label": "x"}, 3),
        ({"source": "abc", "target": "abcde"}, 5),  # each side is read for itself
        ({"prompt": "abc", "completion": "de"}, 5),
        (
            {
                "messages": [
                    {"role": "user", "content": "ab"},
                    {"role": "assistant", "content": "c"},
                ]
            },
            4,
        ),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, 3),
    ],
)
def test_lengths_are_of_what_is_read_together(
    tmp_path: Path, values: dict[str, object], longest: int
) -> None:
    report = check(write(tmp_path / "a.jsonl", [values]))
    assert report.lengths["longest"] == longest


def test_many_faults_are_counted_and_twenty_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n' + "{\n" * 100)
    report = check(path)
    assert (report.records, report.fault_count, len(report.faults)) == (1, 100, 20)


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[int] = []
    path = write(tmp_path / "a.jsonl", [{"text": f"{n}"} for n in range(2500)])
    check(path, progress=seen.append)
    assert seen == [1000, 2000]


@pytest.mark.data
def test_the_foreign_row_of_imdb_is_found(data: Path) -> None:
    """The data sets' README: train id 0 is a foreign row."""
    report = check(data / "imdb" / "train.jsonl.gz", test=data / "imdb" / "test.jsonl.gz")
    assert (report.records, report.test_records) == (25_000, 25_000)
    assert report.duplicates.count > 50  # known: 96 in the original training set
    assert report.overlap.count > 100  # known: 123 reviews are in both
    assert not report.faults
