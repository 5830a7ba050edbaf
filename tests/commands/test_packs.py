"""`loquent models pack`, and the packed weights that `show` and `remove` tell of."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.checkpoints import hub, kept
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.pack import pack
from loquent.checkpoints.repacking import Comparison
from loquent.checkpoints.sources import store
from loquent.commands import run


@pytest.fixture
def model(tiny_gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own and an empty home."""
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(kept, "SETTLED_SECONDS", 0.0)
    return shutil.copytree(tiny_gpt2, tmp_path / "model")


@pytest.fixture
def models(capsys):
    """Run a command: its status, what it wrote to stdout, and to stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["models", *arguments])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


def packed_files(home: Path) -> list[Path]:
    return sorted((home / "packed").glob("*"))


def test_packing_tells_the_file_and_its_error(model: Path, models, tmp_path: Path) -> None:
    status, out, err = models("pack", str(model))
    (file,) = packed_files(tmp_path / "home")
    assert status == 0
    assert out.splitlines()[0] == str(file)
    assert " in 8 bits, packed in " in out.splitlines()[1]
    assert out.splitlines()[2].split() == ["from", "to", "weights", "size", "error"]
    assert [line.split()[:2] for line in out.splitlines()[3:]] == [["F32", "int8"], ["F32", "f32"]]
    assert err.startswith(f"Packing {model}: ") and " weights in " in err
    stamp = file.stat().st_mtime_ns
    again = models("pack", str(model), "--bits", "auto")
    assert again[0] == 0 and "packed before; --again packs it anew" in again[1] and not again[2]
    assert file.stat().st_mtime_ns == stamp
    assert models("pack", str(model), "--again", "-q")[2] == ""
    assert file.stat().st_mtime_ns != stamp


@pytest.mark.parametrize("bits, least, most", [(4, 0.02, 0.2), (8, 0.003, 0.02), (16, 5e-4, 4e-3)])
def test_packing_as_json(model: Path, models, bits: int, least: float, most: float) -> None:
    status, out, _ = models("pack", str(model), "--bits", str(bits), "--json")
    told = json.loads(out)
    assert status == 0
    assert Path(told["path"]).stat().st_size == told["bytes"]
    assert (told["name"], told["bits"], told["already"]) == (str(model), bits, False)
    assert told["seconds"] >= 0
    kinds = {each["packed"]: each for each in told["repacked"]}
    assert least < kinds[{4: "int4", 8: "int8", 16: "bf16"}[bits]]["error"] < most
    assert kinds["f32"]["error"] == 0
    weights = Checkpoint.open(model).weights
    assert sum(each["weights"] for each in told["repacked"]) == len(weights)
    assert 0 < sum(each["bytes"] for each in told["repacked"]) <= told["bytes"]
    assert json.loads(models("pack", str(model), "--bits", str(bits), "--json")[1])["already"]


def test_errors_are_those_of_the_values(model: Path, tmp_path: Path) -> None:
    """A comparison by hand: int8 has one scale for each row."""
    checkpoint = Checkpoint.open(model)
    comparison = Comparison(dict.fromkeys(checkpoint.weights, "F32"))
    pack(checkpoint.config, checkpoint.weights, tmp_path / "x", 8, compare=comparison)
    gap = whole = 0.0
    for name, array in checkpoint.weights.items():
        if array.ndim == 2 and not name.endswith("positions.weight"):
            real = array.astype(np.float64)
            step = np.abs(real).max(axis=1, keepdims=True) / 127
            gap += ((np.round(real / step) * step - real) ** 2).sum()
            whole += (real**2).sum()
    (found,) = [each for each in comparison.report() if each.packed == "int8"]
    assert found.error == pytest.approx((gap / whole) ** 0.5, rel=1e-3)


def test_use_after_packing_packs_nothing(model: Path, models) -> None:
    models("pack", str(model), "--bits", "4", "-q")
    told: list[int] = []
    loquent.open(model, bits=4, packing=lambda done, of: told.append(done))
    assert not told


def test_show_and_remove_tell_of_packed_weights(model: Path, models, tmp_path: Path) -> None:
    status, out, _ = models("show", str(model), "--json")
    assert status == 0 and json.loads(out)["packed"] == []
    models("pack", str(model), "-q")
    models("pack", str(model), "--bits", "4", "-q")
    files = packed_files(tmp_path / "home")
    shown = json.loads(models("show", str(model), "--json")[1])["packed"]
    assert shown == [{"path": str(each), "bytes": each.stat().st_size} for each in files]
    assert str(files[0]) in models("show", str(model))[1]
    total = sum(each["bytes"] for each in shown)
    status, out, err = models("remove", str(model), "--packed", "--json")
    assert (status, json.loads(out)) == (
        0,
        {"name": str(model), "bytes": 0, "packed_bytes": total},
    )
    assert model.is_dir() and not packed_files(tmp_path / "home")
    status, out, err = models("remove", str(model), "--packed")
    assert status == 1 and "has no packed weights; nothing was removed" in err


def test_a_removed_model_takes_its_packed_weights_along(
    model: Path, models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "hf:someone/tiny"
    place = store.unfinished(store.folder_of(name))
    place.parent.mkdir(parents=True)
    shutil.copytree(model, place)
    store.keep(name, "0", {each.name: "0" for each in place.iterdir()})
    models("pack", name, "-q", "--offline")
    home = tmp_path / "home"
    assert len(packed_files(home)) == 1 and len(list((home / "opened").iterdir())) == 1
    status, out, _ = models("remove", name)
    assert status == 0 and " of packed weights are free again." in out
    assert hub.locate(name) is None
    assert not packed_files(home) and not list((home / "opened").iterdir())


def test_what_cannot_be_packed_is_told(model: Path, models) -> None:
    settings = {
        "model_type": "gpt_neox",
        "vocab_size": 500,
        "hidden_size": 48,
        "num_attention_heads": 4,
    }
    (model / "config.json").write_text(json.dumps(settings))
    status, out, err = models("pack", str(model))
    assert status != 0 and not out
    # with the transformers library, and without it
    assert "there is nothing to pack" in err or "'gpt_neox' are not executed here" in err
    assert models("pack", str(model), "--bits", "5")[0] == 2
