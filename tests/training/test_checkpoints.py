"""Checkpoints: there wholly or not at all, and a changed byte never goes unseen."""

import errno
import json
import random
import shutil

import pytest
import torch
from safetensors import safe_open

from loquent.errors import CheckpointError
from loquent.training import checkpoints, folders
from loquent.training.saved import Saved


def state(seed: int = 0) -> Saved:
    """A small state with every type that is saved, and shapes that are easily spoiled."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 3, generator=generator)
    return Saved(
        tensors={
            "flag": torch.tensor([True, False, True]),
            "weight": weight,
            "turned": weight.T,
            "half": weight.bfloat16(),
            "short": weight.half(),
            "wide": weight.double() / 3,
            "step": torch.tensor(7.0),
            "count": torch.tensor(2**40 + seed),
            "none": torch.zeros(0, 4),
            "bytes": torch.arange(7, dtype=torch.uint8),
        },
        values={"step": seed, "seconds": 0.1 + 0.2, "place": {"epoch": 1, "index": 9}, "名": "值"},
    )


def same(one: Saved, other: Saved) -> bool:
    return (
        one.values == other.values
        and one.tensors.keys() == other.tensors.keys()
        and all(
            tensor.dtype == other.tensors[name].dtype
            and tensor.shape == other.tensors[name].shape
            and torch.equal(tensor, other.tensors[name])
            for name, tensor in one.tensors.items()
        )
    )


def silent(sentence: str) -> None:
    """A note that nobody should have to be told."""
    raise AssertionError(sentence)


def test_what_is_written_is_read_bit_for_bit(tmp_path):
    path = checkpoints.write(tmp_path / "run" / "checkpoints", 3, state())
    assert path == tmp_path / "run" / "checkpoints" / "step-3"
    assert same(checkpoints.read(path), state())
    found = checkpoints.newest(path.parent, silent)
    assert found is not None
    assert same(found, state())
    assert sorted(each.name for each in path.iterdir()) == [
        "digests.json",
        "state.json",
        "state.safetensors",
    ]
    with safe_open(path / "state.safetensors", "pt") as file:  # the format's own reader
        assert set(file.keys()) == set(state().tensors)
    assert [each.name for each in path.parent.iterdir()] == ["step-3"]


def test_a_state_without_tensors_is_one_too(tmp_path):
    checkpoints.write(tmp_path, 0, Saved({}, {}))
    assert checkpoints.newest(tmp_path, silent) == Saved({}, {})


def test_a_folder_without_checkpoints_has_none(tmp_path):
    assert checkpoints.newest(tmp_path / "absent", silent) is None
    (tmp_path / "step-x").mkdir()
    assert checkpoints.steps(tmp_path) == []
    assert checkpoints.newest(tmp_path, silent) is None


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    kept = []
    for step in range(10, 70, 10):
        checkpoints.write(tmp_path, step, state(step), last=2, best=20 if step >= 20 else None)
        kept.append(checkpoints.steps(tmp_path))
    assert kept == [[10], [10, 20], [20, 30], [20, 30, 40], [20, 40, 50], [20, 50, 60]]
    assert same(checkpoints.read(tmp_path / "step-20"), state(20))
    checkpoints.write(tmp_path, 70, state(70), last=1)
    assert checkpoints.steps(tmp_path) == [70]


def test_later_steps_of_a_course_that_was_given_up_are_removed(tmp_path):
    for step in (10, 20, 30):
        checkpoints.write(tmp_path, step, state(step), last=5)
    checkpoints.write(tmp_path, 15, state(15), last=5)
    assert checkpoints.steps(tmp_path) == [10, 15]


def test_a_step_can_be_written_again(tmp_path):
    checkpoints.write(tmp_path, 10, state(1), last=1)
    checkpoints.write(tmp_path, 10, state(2), last=1)
    found = checkpoints.newest(tmp_path, silent)
    assert found is not None
    assert same(found, state(2))
    assert [each.name for each in tmp_path.iterdir()] == ["step-10"]


def test_a_thousand_flips_and_cuts_are_all_found(tmp_path):
    checkpoints.write(tmp_path, 1, state(1))
    checkpoints.write(tmp_path, 2, state(2))
    generator = random.Random(0)
    files = sorted((tmp_path / "step-2").iterdir())
    undamaged = {path: path.read_bytes() for path in files}
    for trial in range(1000):
        path = files[trial % len(files)]
        content = bytearray(undamaged[path])
        at = generator.randrange(len(content))
        if trial % 10 < 3:
            del content[at:]
        else:
            content[at] ^= generator.randrange(1, 256)
        path.write_bytes(content)
        told: list[str] = []
        found = checkpoints.newest(tmp_path, told.append)
        assert found is not None
        assert same(found, state(1)), f"{path.name}: byte {at}"
        assert len(told) == 2, told
        assert str(path.parent) in told[0]
        assert "step-1" in told[1]
        path.write_bytes(undamaged[path])
    found = checkpoints.newest(tmp_path, silent)
    assert found is not None
    assert same(found, state(2))


def test_every_damaged_file_is_named(tmp_path):
    path = checkpoints.write(tmp_path, 2, state())
    (path / "state.json").unlink()
    (path / "state.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError) as caught:
        checkpoints.read(path)
    told = str(caught.value)
    assert "2 faults" in told
    assert "state.json: cannot be read: No such file or directory." in told
    assert "state.safetensors: is damaged: it has 5 bytes" in told


def test_all_damaged_is_an_error_and_not_a_new_beginning(tmp_path):
    for step in (1, 2):
        path = checkpoints.write(tmp_path, step, state())
        (path / "digests.json").write_bytes(b"{}")
    with pytest.raises(CheckpointError, match="no checkpoint can be opened") as caught:
        checkpoints.newest(tmp_path, silent)
    assert "step-1" in str(caught.value)
    assert "step-2" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"files":3,"format":1}\n',
        b'{"files":{"a/b":{"bytes":1,"sha256":""}},"format":1}\n',
        b'{"files":{"a":{"bytes":1}},"format":1}\n',
        b'{"files":{"a":1},"format":1}\n',
        b'{"files":{}}\n',
        b"[" * 100_000,
    ],
)
def test_a_digest_list_of_another_form_is_damaged(tmp_path, content):
    path = checkpoints.write(tmp_path, 1, state())
    (path / "digests.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"digests\.json: is damaged"):
        folders.verify(path)


def test_a_checkpoint_under_the_name_of_another_step_is_refused(tmp_path):
    checkpoints.write(tmp_path, 3, state()).rename(tmp_path / "step-4")
    with pytest.raises(CheckpointError, match="says that it is step 3"):
        checkpoints.read(tmp_path / "step-4")


def test_a_file_that_is_whole_but_no_safetensors_is_refused(tmp_path):
    files = {"state.safetensors": [b"nonsense"], "state.json": [b"{}"]}
    folders.create(tmp_path / "step-1", files)
    with pytest.raises(CheckpointError, match="step-1: cannot be opened"):
        checkpoints.read(tmp_path / "step-1")


@pytest.mark.parametrize(
    ("saved", "told"),
    [
        (Saved({"z": torch.zeros(2, dtype=torch.complex64)}, {}), "'z' has the type"),
        (Saved({}, {"loss": float("nan")}), "what JSON does not"),
        (Saved({}, {"loss": torch.zeros(1)}), "what JSON does not"),
    ],
)
def test_what_cannot_be_saved_is_told_and_leaves_nothing(tmp_path, saved, told):
    with pytest.raises(CheckpointError, match=told):
        checkpoints.write(tmp_path, 1, saved)
    assert list(tmp_path.iterdir()) == []


def test_left_overs_are_removed_with_a_note(tmp_path):
    checkpoints.write(tmp_path, 1, state(1))
    half = tmp_path / ".step-2.0123abcd.unfinished"
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"half")
    shutil.copytree(tmp_path / "step-1", tmp_path / ".step-0.0123abcd.removed")
    foreign = tmp_path / ".keep"
    foreign.write_text("mine")
    assert checkpoints.newest(tmp_path, silent, clean=False) is not None
    assert half.exists()
    told: list[str] = []
    found = checkpoints.newest(tmp_path, told.append)
    assert found is not None
    assert same(found, state(1))
    assert len(told) == 2
    assert all("was removed" in each for each in told)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".keep", "step-1"]


def test_what_was_being_replaced_is_put_back(tmp_path):
    checkpoints.write(tmp_path, 1, state(1))
    (tmp_path / "step-1").rename(tmp_path / ".step-1.0123abcd.replaced")
    (tmp_path / ".step-1.0123abcd.unfinished").mkdir()
    told: list[str] = []
    found = checkpoints.newest(tmp_path, told.append)
    assert found is not None
    assert same(found, state(1))
    assert "put back" in told[0]
    checkpoints.write(tmp_path, 1, state(2))
    shutil.copytree(tmp_path / "step-1", tmp_path / ".step-1.0123abcd.replaced")
    assert checkpoints.newest(tmp_path, told.append) is not None
    assert [each.name for each in tmp_path.iterdir()] == ["step-1"]


def test_a_failing_call_names_its_path_and_spares_what_is_there(tmp_path, monkeypatch):
    checkpoints.write(tmp_path, 1, state(1))

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", refuse)
        with pytest.raises(CheckpointError, match="Input/output error") as caught:
            checkpoints.write(tmp_path, 2, state(2))
    assert str(tmp_path) in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["step-1"]
    found = checkpoints.newest(tmp_path, silent)
    assert found is not None
    assert same(found, state(1))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoints.write(tmp_path / "file" / "checkpoints", 1, state())


def test_digests_can_be_checked_by_other_tools(tmp_path):
    import hashlib  # noqa: PLC0415

    path = checkpoints.write(tmp_path, 1, state())
    listed = json.loads((path / "digests.json").read_bytes())["files"]
    assert set(listed) == {"state.json", "state.safetensors"}
    for name, entry in listed.items():
        content = (path / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
