"""The parts of a data set: stable, of the right size, and without leaks."""

import subprocess
import sys

import pytest

from loquent.data.reading import Record
from loquent.data.split import hash_of, part_of
from loquent.errors import ConfigError


def records(count: int) -> list[Record]:
    return [Record({"text": f"text {n}", "label": n % 2}, f"a:{n}", n) for n in range(count)]


def test_parts_have_about_the_shares_that_were_asked() -> None:
    parts = [part_of(each, 0, 0.2, 0.1) for each in records(5000)]
    assert abs(parts.count("validation") - 1000) < 100  # 3.5 standard deviations
    assert abs(parts.count("test") - 500) < 75
    other = [part_of(each, 1, 0.2, 0.1) for each in records(5000)]
    assert parts != other


def test_a_record_stays_in_its_part_when_others_are_added_or_moved() -> None:
    first = {each.values["text"]: part_of(each, 7, 0.2, 0.2) for each in records(300)}
    for each in reversed(records(600)):
        if each.values["text"] in first:
            moved = Record(each.values, "other:9", 99)
            assert part_of(moved, 7, 0.2, 0.2) == first[each.values["text"]]


def test_a_larger_share_only_adds_to_the_test_set() -> None:
    for each in records(500):
        if part_of(each, 0, 0.0, 0.1) == "test":
            assert part_of(each, 0, 0.0, 0.3) == "test"


def test_one_text_is_in_one_part_whatever_its_label_case_or_spaces() -> None:
    for number in range(200):
        texts = (f"Text  {number}", f"text {number} ")
        parts = {
            part_of(Record({"text": text, "label": label}, "a:1", 0), 3, 0.3, 0.3)
            for text in texts
            for label in "xy"
        }
        assert len(parts) == 1
        pairs = {
            part_of(Record({"source": texts[0], "target": t}, "a:1", 0), 3, 0.3, 0.3) for t in "xy"
        }
        assert len(pairs) == 1


def test_records_of_no_known_kind_are_divided_by_all_their_values() -> None:
    parts = {part_of(Record({"tokens": [n]}, "a:1", 0), 0, 0.3, 0.3) for n in range(100)}
    assert parts == {"train", "validation", "test"}


def test_a_hash_is_the_same_in_another_process() -> None:
    code = "from loquent.data.split import hash_of; print(hash_of({'b': 1, 'a': 'x'}, 5))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) == hash_of({"a": "x", "b": 1}, 5) == hash_of({"b": 1, "a": "x"}, 5)


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.0), (0.6, 0.6)])
def test_impossible_shares_are_refused(validation: float, test: float) -> None:
    with pytest.raises(ConfigError, match="not parts of a whole"):
        part_of(records(1)[0], 0, validation, test)
