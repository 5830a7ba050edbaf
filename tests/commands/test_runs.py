"""`loquent runs`, on folders as runs leave them."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loquent.commands import run
from loquent.runs import listing
from loquent.training.log import Log


class Clock:
    """A clock that goes on by a second with each look."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def make(folder: Path, *, rate: float, loss: float, finished: bool = True) -> Path:
    """A run's folder after 20 steps."""
    with Log(folder, tensorboard=False, clock=Clock()) as log:
        for step in range(1, 21):
            values = {
                "loss": loss / step,
                "rate": rate,
                "tokens": 100 * step,
                "seconds": 3.5 * step,
            }
            log.write("train", step, values)
            if step % 10 == 0:
                log.write("eval", step, {"loss": loss + step, "accuracy": 0.9 - step / 100})
        if finished:
            log.write("test", 20, {"accuracy": 0.75})
    plan = {
        "task": "classify",
        "out": str(folder),
        "network": {"kind": "lstm", "size": "tiny"},
        "training": {"rate": rate, "steps": 20},
        "data": {"train": ["a.jsonl", "b.jsonl"]},
    }
    card = {"plan": plan, "versions": {"torch": "2.13"}, "seed": 0}
    (folder / "run.json").write_text(json.dumps(card), encoding="utf-8")
    for step in (10, 20):
        (folder / "checkpoints" / f"step-{step}").mkdir(parents=True)
    if finished:
        (folder / "model").mkdir()
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with two runs, one of them a folder further down, and things that are none."""
    make(tmp_path / "first", rate=0.001, loss=4.0)
    make(tmp_path / "more" / "second", rate=0.01, loss=2.0, finished=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("none")
    make(tmp_path / ".hidden", rate=1.0, loss=1.0)
    return tmp_path


@pytest.fixture
def loquent(capsys):
    """Run a command: its status, what it wrote to stdout, and to stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = run(["runs", *map(str, arguments)])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


def test_runs_are_listed_as_a_table(loquent, folder):
    status, out, err = loquent("list", folder)
    assert (status, err) == (0, "")
    head, first, second = out.splitlines()
    assert head.split() == ["run", "task", "network", "state", "step", "loss", "judged", "time"]
    assert first.split() == (
        ["first", "classify", "lstm", "finished", "20", "0.2", "accuracy", "0.75", "1:10"]
    )
    assert second.split()[:6] == ["more/second", "classify", "lstm", "unfinished", "20", "0.1"]
    assert "loss 22, accuracy 0.7" in second
    assert max(map(len, out.splitlines())) <= 100


def test_runs_are_listed_as_json(loquent, folder):
    status, out, _ = loquent("list", folder, "--json")
    first, second = json.loads(out)
    assert status == 0
    assert Path(first["run"]) == folder / "first"
    assert (first["step"], first["loss"], first["tokens"], first["seconds"]) == (20, 0.2, 2000, 70)
    assert first["checkpoints"] == [10, 20]
    assert first["eval"]["loss"] == {"last": 24.0, "best": 14.0}  # less is better
    assert second["eval"]["accuracy"] == pytest.approx({"last": 0.7, "best": 0.8})  # more is better
    assert first["test"] == {"accuracy": {"last": 0.75, "best": 0.75}}
    assert second["test"] == {}
    assert first["written"] == 1_800_000_023.0


def test_a_run_itself_and_no_run_can_be_listed(loquent, folder):
    status, out, _ = loquent("list", folder / "first")
    assert status == 0
    assert out.splitlines()[1].split()[0] == "first"
    status, out, _ = loquent("list", folder / "empty")
    assert status == 0
    assert "There is no run" in out
    status, _, err = loquent("list", folder / "absent")
    assert status == 1
    assert f"{folder / 'absent'}: there is no such folder." in err


def test_one_run_is_shown(loquent, folder):
    status, out, err = loquent("show", folder / "first")
    assert (status, err) == (0, "")
    facts = dict(line.split(None, 1) for line in out.splitlines())
    assert facts["task"] == "classify"
    assert facts["plan.training.rate"] == "0.001"
    assert facts["plan.data.train"] == "a.jsonl, b.jsonl"
    assert facts["versions.torch"] == "2.13"
    assert facts["eval.loss.best"] == "14"
    assert facts["checkpoints"] == "10, 20"
    assert facts["written"].startswith("2027-01-1")
    status, out, _ = loquent("show", folder / "first", "--json")
    assert json.loads(out)["card"]["plan"]["training"] == {"rate": 0.001, "steps": 20}


def test_what_is_no_run_is_told(loquent, folder):
    status, out, err = loquent("show", folder / "empty")
    assert (status, out) == (1, "")
    assert f"{folder / 'empty'}: is no run: it has no run.json." in err
    assert "loquent runs list" in err


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"[" * 100_000])
def test_a_damaged_run_is_told(loquent, folder, content):
    path = folder / "first" / "run.json"
    path.write_bytes(content)
    status, _, err = loquent("show", folder / "first")
    assert status == 1
    assert str(path) in err


def test_a_run_that_has_only_begun_can_be_shown(loquent, folder):
    (folder / "empty" / "run.json").write_text('{"plan": 3}')
    status, out, _ = loquent("show", folder / "empty", "--json")
    facts = json.loads(out)
    assert status == 0
    assert (facts["step"], facts["loss"], facts["written"]) == (0, None, None)
    assert facts["checkpoints"] == []
    assert loquent("list", folder)[0] == 0


def test_a_damaged_line_of_a_log_is_told(loquent, folder):
    path = folder / "first" / "log.jsonl"
    path.write_bytes(b"?\n" + path.read_bytes())
    status, out, err = loquent("list", folder)
    assert status == 0
    assert "first" in out
    assert f"{path}:1: is no line of a log" in err


def test_runs_are_compared(loquent, folder):
    several = (folder / "first", folder / "more" / "second")
    status, out, err = loquent("compare", *several)
    assert (status, err) == (0, "")
    rows = {line[: out.index("first")].strip(): line.split()[-2:] for line in out.splitlines()}
    assert rows["training.rate"] == ["0.001", "0.01"]
    assert rows["train loss"] == ["0.2", "0.1"]
    assert rows["eval accuracy, best"] == ["0.8", "0.8"]
    assert "training.steps" not in rows  # the same in both
    assert "out" not in rows
    status, out, _ = loquent("compare", *several, "--json")
    found = json.loads(out)
    assert found["runs"] == ["first", "second"]
    assert found["settings"] == {"training.rate": [0.001, 0.01]}
    assert found["results"]["test accuracy"] == [0.75, None]
    assert loquent("compare", several[0])[0] == 2


def test_runs_of_one_name_are_told_apart(folder):
    make(folder / "more" / "first", rate=0.1, loss=1.0)
    names = listing.named(
        [listing.open_run(folder / "first"), listing.open_run(folder / "more" / "first")]
    )
    assert names == [f"{folder.name}/first", "more/first"]


def test_curves_are_plotted(loquent, folder):
    out = folder / "both.svg"
    status, told, _ = loquent("plot", folder / "first", folder / "more" / "second", "-o", out)
    assert (status, told) == (0, f"{out}\n")
    root = ElementTree.fromstring(out.read_text(encoding="utf-8"))
    said = {"".join(each.itertext()) for each in root.iter()}
    assert {"loss", "accuracy", "first train", "second eval"} <= said
    status, told, _ = loquent("plot", folder / "first", "-o", folder / "one.png", "--json")
    assert status == 0
    assert json.loads(told)["panels"] == ["loss", "accuracy", "rate"]
    assert (folder / "one.png").read_bytes().startswith(b"\x89PNG")
    status, _, err = loquent("plot", folder / "first", "-o", folder / "one.gif")
    assert status == 2
    assert "must end in .svg or .png" in err


def test_none_of_it_needs_torch(folder):
    program = f"""
import sys
from loquent.commands import run
assert run(["runs", "list", {str(folder)!r}]) == 0
assert run(["runs", "compare", {str(folder / "first")!r}, {str(folder / "more" / "second")!r}]) == 0
assert run(["runs", "plot", {str(folder / "first")!r}, "-o", {str(folder / "c.png")!r}]) == 0
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
