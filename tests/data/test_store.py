"""Examples on disk: the same comes out, whole or not at all."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loquent.data.batch import collate, row_of
from loquent.data.example import Example
from loquent.data.store import Store
from loquent.errors import DataError


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


def same(one: Example, other: Example) -> bool:
    for name in ("ids", "learned", "source", "labels"):
        a, b = getattr(one, name), getattr(other, name)
        if (a is None) != (b is None) or (a is not None and not np.array_equal(a, b)):
            return False
    return one.index == other.index


FULL = [
    Example(ids(1, 2, 3), np.array([False, True, True]), ids(9, 8), ids(4), 10),
    Example(ids(5), np.array([True]), ids(7, 7, 7), ids(3), 12),
    Example(ids(6, 0), np.array([True, False]), ids(1), ids(2), 13),
]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    store = Store.build(FULL, tmp_path / "store")
    for opened in (store, Store.open(tmp_path / "store")):
        assert len(opened) == 3
        assert all(same(opened[place], FULL[place]) for place in range(3))
        assert opened.lengths.tolist() == [5, 4, 3]
        assert opened.tokens == 12 and opened.text_tokens == 6
        assert opened.parts == {"learned", "source", "labels"}
    for place in (-1, 3):
        with pytest.raises(IndexError):
            store[place]


def test_plain_texts_have_nothing_else(tmp_path: Path) -> None:
    store = Store.build([Example(ids(1, 2)), Example(ids(3), index=1)], tmp_path / "store")
    assert same(store[1], Example(ids(3), index=1))
    assert not store.parts and store.sources is None
    text, learned = store.text(1, 3)
    assert text.tolist() == [2, 3] and learned is None


def test_marks_of_what_is_learned_may_come_late(tmp_path: Path) -> None:
    late = [Example(ids(1, 2)), Example(ids(3, 4), np.array([True, False])), Example(ids(5))]
    store = Store.build(late, tmp_path / "store")
    learned = [store[place].learned for place in range(3)]
    assert [each.tolist() for each in learned if each is not None] == [
        [True, True],
        [True, False],
        [True],
    ]
    assert store.unlearned == 1  # the second: its only target is not learned


def test_the_fingerprint_is_of_the_contents(tmp_path: Path) -> None:
    made = [Store.build(FULL, tmp_path / name).fingerprint for name in "ab"]
    other = [*FULL[:2], replace(FULL[2], labels=ids(1))]
    assert made[0] == made[1] != Store.build(other, tmp_path / "c").fingerprint
    assert len(made[0]) == 64


def test_the_same_inputs_are_not_read_again(tmp_path: Path) -> None:
    def never() -> Iterator[Example]:
        raise AssertionError("asked for an example")
        yield

    first = Store.build(FULL, tmp_path / "store", inputs="data and tokenizer")
    again = Store.build(never(), tmp_path / "store", inputs="data and tokenizer")
    assert again.fingerprint == first.fingerprint
    other = Store.build(FULL[:1], tmp_path / "store", inputs="other data")
    assert len(other) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_a_damaged_store_is_refused_and_built_anew(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    Store.build(FULL, folder, inputs="x")
    (folder / "ids").write_bytes((folder / "ids").read_bytes()[:-1])
    with pytest.raises(DataError, match="has 23 bytes, which is not its size"):
        Store.open(folder)
    assert len(Store.build(FULL, folder, inputs="x")) == 3
    for damaged in ("{", json.dumps({"version": 1}), "null"):
        (folder / "store.json").write_text(damaged)
        with pytest.raises(DataError, match=r"store.json: is damaged"):
            Store.open(folder)
    with pytest.raises(DataError, match="holds no examples"):
        Store.open(tmp_path / "nothing")


def test_a_file_that_shrinks_while_it_is_open_is_noticed(tmp_path: Path) -> None:
    store = Store.build(FULL, tmp_path / "store")
    os.truncate(tmp_path / "store" / "ids", 8)
    with pytest.raises(DataError, match="ids: ends before byte"):
        store[2]


def test_an_error_while_building_leaves_the_old_store(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    Store.build(FULL, folder)

    def fails() -> Iterator[Example]:
        yield FULL[0]
        raise DataError("is broken.", where="a.jsonl:7")

    with pytest.raises(DataError, match=r"a.jsonl:7: is broken"):
        Store.build(fails(), folder)
    assert len(Store.open(folder)) == 3
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_what_a_killed_process_has_left_is_swept_away(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal, numpy as np\n"
        "from pathlib import Path\n"
        "from loquent.data.example import Example\n"
        "from loquent.data.store import Store\n"
        "def some():\n"
        "    for n in range(1000):\n"
        "        yield Example(np.arange(9, dtype=np.int32))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Store.build(some(), Path(sys.argv[1]))\n"
    )
    folder = tmp_path / "store"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False, timeout=60)
    assert not folder.exists()
    assert len(list(tmp_path.iterdir())) == 1
    assert len(Store.build(FULL, folder)) == 3
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([], "there are no examples"),
        ([Example(ids(1), labels=ids(1)), Example(ids(2), index=5)], "record 5: has no labels"),
        ([Example(ids(1)), Example(ids(2), source=ids(1), index=5)], "record 5: has a source"),
        ([Example(ids(1, 2), np.array([True]), index=4)], "record 4: 1 marks .* for 2 ids"),
        ([Example(ids(1, -2), index=4)], "record 4: its ids are not"),
        ([Example(np.zeros((2, 2), np.int32), index=4)], "record 4: its ids are not"),
    ],
)
def test_examples_that_do_not_fit_together_are_refused(
    tmp_path: Path, examples: list[Example], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        Store.build(examples, tmp_path / "store")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_other_files_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="holds other files"):
        Store.build(FULL, folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        Store.build(FULL, tmp_path / "file")
    assert (folder / "thesis.txt").exists()


def test_a_full_disk_is_told_with_its_folder(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: writing fails as it does on a full one."""
    code = (
        "import resource, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from loquent.data.example import Example\n"
        "from loquent.data.store import Store\n"
        "from loquent.errors import DataError\n"
        "import signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "many = (Example(np.zeros(1000, np.int32)) for _ in range(5000))\n"
        "try:\n"
        "    Store.build(many, Path(sys.argv[1]))\n"
        "except DataError as fault:\n"
        "    print(fault)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "File too large; no examples were written" in done.stdout
    assert not list(tmp_path.iterdir())


def test_segments_reach_the_batch_and_its_parts(tmp_path: Path) -> None:
    """Which text of a pair a token is of goes with its ids: cut, padded, divided."""
    kinds = [[0, 0, 1], [0, 1, 1, 1, 1], [0, 1]]
    made = [
        Example(np.arange(1, len(each) + 1, dtype=np.int32), segments=np.array(each, np.int32))
        for each in kinds
    ]
    store = Store.build(made, tmp_path / "pairs")
    assert store.parts == {"segments"}
    assert [store[place].segments.tolist() for place in range(3)] == kinds
    rows = [row_of([store[place]], [place], shift=False) for place in range(3)]
    batch = collate(rows, shift=False, tagged=False)
    assert batch.segments.tolist() == [[0, 0, 1, 0, 0], [0, 1, 1, 1, 1], [0, 1, 0, 0, 0]]
    assert batch.shard(0, 2).split(1)[1].segments.tolist() == [[0, 1]]
    for segments, message in ((None, "has no segments"), (np.zeros(9, np.int32), "9 segments for")):
        wrong = [made[0], Example(np.arange(2, dtype=np.int32), segments=segments)]
        with pytest.raises(DataError, match=message):
            Store.build(wrong, tmp_path / "wrong")
