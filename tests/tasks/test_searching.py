"""A folder's index: what is read, what is kept, and what is found where."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent import LM
from loquent.errors import DataError, RequestError, UsageError
from loquent.tasks.passages import INDEX, PLACE
from loquent.tasks.searching import index, search

PETS = "# Pets\n\nA cat sleeps on the sofa all day.\n\nDogs bark at the postman.\n"
MONEY = "The central bank raised interest rates.\nInflation fell to two percent.\n"


@pytest.fixture(scope="module")
def lm(tiny_bert: Callable[..., Path]) -> LM:
    return loquent.open(tiny_bert("BertModel"), bits=32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "pets.md").write_text(PETS, encoding="utf-8")
    (tmp_path / "money.txt").write_text(MONEY, encoding="utf-8")
    (tmp_path / ".hidden.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    return tmp_path


def test_places_are_those_of_the_text(lm: LM, folder: Path) -> None:
    found = index(lm, folder)
    assert sorted(found.files) == ["money.txt", "notes/pets.md"]
    assert set(found.report.skipped) == {"picture.png", "empty.txt"}
    for hit in search(lm, found, "cat", top=100):
        text = (folder / hit.file).read_text(encoding="utf-8")
        assert text[hit.start : hit.stop] == hit.text
        assert hit.line == text[: hit.start].count("\n") + 1
    scores = [hit.score for hit in search(lm, found, "cat", top=100)]
    assert scores == sorted(scores, reverse=True)
    assert len(search(lm, found, "cat", top=1)) == 1


def test_scores_are_cosines_of_embeddings(lm: LM, folder: Path) -> None:
    for hit in search(lm, index(lm, folder), "the bank", top=3):
        one, other = lm.embed(["the bank", hit.text])
        assert hit.score == pytest.approx(float(one @ other), abs=1e-5)


def test_only_what_has_changed_is_read_again(lm: LM, folder: Path) -> None:
    first = index(lm, folder)
    assert (first.report.read, first.report.removed) == (2, 0)
    again = index(lm, folder)
    assert again.report.read == 0
    np.testing.assert_array_equal(again.embeddings, first.embeddings)
    (folder / "money.txt").write_text("Stocks rose.", encoding="utf-8")
    (folder / "notes" / "more.txt").write_text("Rivers flow.", encoding="utf-8")
    assert index(lm, folder).report.read == 2
    (folder / "notes" / "pets.md").unlink()
    last = index(lm, folder)
    assert (last.report.read, last.report.removed) == (0, 1)
    fresh = {name: file.pieces for name, file in last.files.items()}
    for each in (folder / PLACE).iterdir():
        each.unlink()
    anew = index(lm, folder)
    assert {name: file.pieces for name, file in anew.files.items()} == fresh
    np.testing.assert_array_equal(anew.embeddings, last.embeddings)
    assert len(list((folder / PLACE).iterdir())) == 2


def broken_json(place: Path) -> None:
    (place / INDEX).write_text("{")


def short_vectors(place: Path) -> None:
    (found,) = place.glob("*.npy")
    found.write_bytes(found.read_bytes()[:200])


def pickled(place: Path) -> None:
    (found,) = place.glob("*.npy")
    np.save(found, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def fewer_rows(place: Path) -> None:
    (found,) = place.glob("*.npy")
    np.save(found, np.load(found)[:-1])


def outside(place: Path) -> None:
    values = json.loads((place / INDEX).read_text())
    values["embeddings"] = "../../../elsewhere.npy"
    (place / INDEX).write_text(json.dumps(values))


@pytest.mark.parametrize("spoil", [broken_json, short_vectors, pickled, fewer_rows, outside])
def test_a_damaged_index_is_told_and_made_anew(
    lm: LM, folder: Path, spoil: Callable[[Path], None]
) -> None:
    first = index(lm, folder)
    spoil(folder / PLACE)
    again = index(lm, folder)
    assert "made anew" in again.report.note
    assert again.report.read == 2
    np.testing.assert_array_equal(again.embeddings, first.embeddings)
    assert index(lm, folder).report.note == ""


def test_an_index_of_another_model_is_made_anew(
    lm: LM, folder: Path, tiny_bert: Callable[..., Path]
) -> None:
    index(lm, folder)
    other = loquent.open(tiny_bert("BertForMaskedLM"), bits=32)
    with pytest.raises(RequestError, match="does not embed"):
        index(other, folder)
    values = json.loads((folder / PLACE / INDEX).read_text())
    values["fingerprint"] = "another"
    (folder / PLACE / INDEX).write_text(json.dumps(values))
    assert "was made by" in index(lm, folder).report.note


def test_what_cannot_be_searched_is_refused(lm: LM, folder: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        index(lm, folder / "money.txt")
    (folder / "bare").mkdir()
    with pytest.raises(DataError, match="holds no texts"):
        index(lm, folder / "bare")
    found = index(lm, folder)
    with pytest.raises(RequestError, match="query is empty"):
        search(lm, found, " ")
    with pytest.raises(UsageError, match="top"):
        search(lm, found, "cat", top=0)


@pytest.mark.weights
def test_a_real_model_finds_by_meaning(minilm: LM, folder: Path) -> None:
    found = index(minilm, folder)
    (hit,) = search(minilm, found, "a pet that rests", top=1)
    assert "cat" in hit.text
    (hit,) = search(minilm, found, "monetary policy", top=1)
    assert hit.file == "money.txt"
