"""What is kept of an opened checkpoint: the same as opened anew, never stale, never damaged."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.checkpoints import kept, opening
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import CheckpointError

KEPT = ("opened.msgpack", "vocab.json", "merges.txt")


@pytest.fixture
def model(tiny_gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own and an empty home; files count as old at once."""
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(kept, "SETTLED_SECONDS", 0.0)
    return shutil.copytree(tiny_gpt2, tmp_path / "model")


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, opening a checkpoint's files is a mistake."""

    def forbid() -> None:
        def refuse(*_args: object, **_options: object) -> None:
            raise AssertionError("the files were opened")

        monkeypatch.setattr(opening, "open_contents", refuse)

    return forbid


def learned(path: Path) -> kept.Place:
    place = kept.place_of(path)
    assert place is not None
    kept.keep(Checkpoint.open(path), place)
    assert sorted(each.name for each in place.folder.iterdir()) == sorted(KEPT)
    return place


def assert_same(found: Checkpoint | None, opened: Checkpoint) -> None:
    assert found is not None
    assert found.config == opened.config
    assert found.card == opened.card
    assert found.generation == opened.generation
    assert repr(dict(found.generation.sampling)) == repr(dict(opened.generation.sampling))
    assert (found.path, found.files) == (opened.path, opened.files)
    assert found.fingerprint == opened.fingerprint
    ours, theirs = found.tokenizer, opened.tokenizer
    assert ours is not None and theirs is not None
    assert ours.document() == theirs.document()
    for name in ("begin", "end", "pad", "unknown", "ends", "vocabulary", "adds_begin", "where"):
        assert getattr(ours, name) == getattr(theirs, name), name
    if theirs.template is None:
        assert ours.template is None
    else:
        for name in ("source", "tools", "pieces", "where"):
            assert getattr(ours.template, name) == getattr(theirs.template, name), name


def test_what_is_kept_is_what_was_opened(model: Path, unopened) -> None:
    (model / "chat_template.jinja").write_text("{{ messages[0].content }} {{ bos_token }}")
    (model / "generation_config.json").write_text(
        '{"do_sample": true, "top_k": 50, "temperature": 0.5, "eos_token_id": [3, 4]}'
    )
    opened = Checkpoint.open(model)
    place = learned(model)
    unopened()
    assert_same(kept.find(place), opened)


def test_weights_are_read_when_asked_for(model: Path) -> None:
    opened = Checkpoint.open(model)
    found = kept.find(learned(model))
    assert found is not None
    assert sorted(found.weights) == sorted(opened.weights)
    assert len(found.weights) == len(opened.weights)
    for name in opened.weights:
        np.testing.assert_array_equal(found.weights[name], opened.weights[name])


@pytest.mark.weights
def test_the_default_model_is_kept_whole(
    default_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unopened
) -> None:
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path))
    opened = Checkpoint.open(default_model)
    assert opened.fingerprint
    time.sleep(kept.SETTLED_SECONDS)  # it may just have been fetched
    place = learned(default_model)
    unopened()
    assert_same(kept.find(place), opened)


def test_the_second_opening_reads_no_file_of_the_model(model: Path, unopened) -> None:
    first = loquent.open(model).generate("def", max_tokens=5, temperature=0)
    unopened()
    assert loquent.open(model).generate("def", max_tokens=5, temperature=0).ids == first.ids


def edited(path: Path) -> None:
    """The same size and time of modification, and other contents."""
    at = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))


def exchanged(path: Path) -> None:
    """Another file under the same name, with the same size and time of modification."""
    new = path.with_name("new")
    shutil.copy2(path, new)
    new.replace(path)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b" ")


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "generation_config.json"]
)
@pytest.mark.parametrize("change", [edited, exchanged, longer, os.unlink])
def test_every_change_of_a_file_is_noticed(model: Path, name: str, change) -> None:
    place = learned(model)
    change(model / name)
    now = kept.place_of(model)
    assert now is not None and now.folder != place.folder
    assert kept.find(now) is None


def test_new_files_versions_and_code_are_noticed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = learned(model)
    monkeypatch.setattr(kept.tokenizers, "__version__", "99")
    assert kept.place_of(model) != place
    monkeypatch.undo()
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path / "home"))
    for folder in kept._CODE:
        shutil.copytree(kept._SOURCE / folder, tmp_path / "code" / folder, dirs_exist_ok=True)
    monkeypatch.setattr(kept, "_SOURCE", tmp_path / "code")
    before = kept.place_of(model)
    (tmp_path / "code" / "text" / "readers" / "gguf.py").write_text("")
    assert kept.place_of(model) != before
    (model / "additional_chat_templates").mkdir()
    before = kept.place_of(model)
    (model / "additional_chat_templates" / "tool_use.jinja").write_text("{{ 1 }}")
    assert kept.place_of(model) != before
    assert kept.place_of(tmp_path / "none" / "none") is None


def test_only_the_last_state_is_kept(model: Path) -> None:
    first = learned(model)
    longer(model / "config.json")
    second = learned(model)
    assert first.folder != second.folder
    assert list(second.folder.parent.iterdir()) == [second.folder]


def test_files_that_were_just_written_are_not_kept(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A further change within the same tick of the clock could not be told apart."""
    monkeypatch.setattr(kept, "SETTLED_SECONDS", 60.0)
    place = kept.place_of(model)
    assert place is not None and time.time() - place.changed < 60
    kept.keep(Checkpoint.open(model), place)
    assert kept.find(place) is None


def test_a_change_while_it_is_opened_is_noticed(model: Path) -> None:
    place = kept.place_of(model)
    opened = Checkpoint.open(model)
    longer(model / "config.json")
    assert place is not None
    kept.keep(opened, place)
    assert not place.folder.exists()
    found = kept.find(learned(model))
    longer(model / "config.json")
    assert found is not None
    with pytest.raises(CheckpointError, match="has changed since it was opened"):
        found.weights["decoder.norm.weight"]


@pytest.mark.parametrize("name", KEPT)
def test_whatever_is_damaged_is_made_anew(model: Path, name: str) -> None:
    opened = Checkpoint.open(model)
    place = learned(model)
    whole = (place.folder / name).read_bytes()
    chance = np.random.default_rng(0)
    damaged = [b"", b"\0", whole[:-1], whole + b" ", None]
    for _ in range(60):
        data = bytearray(whole)
        data[chance.integers(len(data))] ^= 1 << chance.integers(8)
        damaged.append(bytes(data))
    for each in damaged:
        if each is None:
            (place.folder / name).unlink()
        else:
            (place.folder / name).write_bytes(each)
        assert kept.find(place) is None
        kept.keep(opened, place)
        assert (place.folder / name).read_bytes() == whole
    assert_same(kept.find(place), opened)


def test_where_nothing_can_be_kept_nothing_is(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path / "file"))
    place = kept.place_of(model)
    assert place is not None
    kept.keep(Checkpoint.open(model), place)
    assert kept.find(place) is None


def test_pickled_weights_are_asked_for_each_time(model: Path) -> None:
    """What was allowed once is not allowed for good."""
    loquent.open(model, allow_pickle=True)
    assert not (Path(os.environ["LOQUENT_HOME"]) / "opened").exists()


def test_a_checkpoint_without_a_tokenizer(model: Path, unopened) -> None:
    for each in model.iterdir():
        if each.name not in ("config.json", "model.safetensors"):
            each.unlink()
    opened = Checkpoint.open(model)
    place = kept.place_of(model)
    assert place is not None and opened.tokenizer is None
    kept.keep(opened, place)
    unopened()
    found = kept.find(place)
    assert found is not None and found.tokenizer is None and found.config == opened.config
