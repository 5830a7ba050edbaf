"""A package index of wheels made here, and a server that speaks the Hugging Face hub's language."""

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for models."""
    monkeypatch.setenv("LOQUENT_HOME", str(tmp_path / "home"))
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


Members = dict[str, bytes]


@pytest.fixture
def make_wheel() -> Callable[..., Path]:
    """Write a wheel that pip accepts."""

    def make(folder: Path, name: str, version: str, members: Members) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        about = f"{name}-{version}.dist-info"
        path = folder / f"{name}-{version}-py3-none-any.whl"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            for member, data in members.items():
                wheel.writestr(member, data)
            wheel.writestr(f"{about}/METADATA", metadata)
            wheel.writestr(f"{about}/WHEEL", tags)
            wheel.writestr(f"{about}/RECORD", "")
        return path

    return make


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
    return folder


@dataclass
class Hub:
    """What the server holds, how it misbehaves, and what was asked of it."""

    files: dict[str, bytes]
    url: str = ""
    commit: str = "c" * 40
    cuts: list[int] = field(default_factory=list)  # bytes after which each next answer breaks off
    served: dict[str, bytes] = field(default_factory=dict)  # sent in place of the right bytes
    claimed: dict[str, int] = field(default_factory=dict)  # lengths told in place of the right ones
    stall: threading.Event | None = None  # large answers wait for it after half of their bytes
    ignores_range: bool = False
    tags: bool = True
    redirects: dict[str, str] = field(default_factory=dict)
    tokens: list[str | None] = field(default_factory=list)  # what Authorization said
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range

    def gets(self, name: str) -> list[str]:
        return [at for method, path, at in self.asked if method == "GET" and path.endswith(name)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        asked = self.headers.get("Range", "")
        self.hub.asked.append((self.command, self.path, asked))
        self.hub.tokens.append(self.headers.get("Authorization"))
        _, _, rest = self.path.partition("/resolve/")
        commit, _, name = rest.partition("/")
        if self.path.startswith("/api/models/org/model/revision/"):
            self.info(self.path.rpartition("/")[2])
        elif rest and commit == self.hub.commit and name in self.hub.files:
            self.file(name, asked, body)
        else:
            self.missing("EntryNotFound" if rest else "RepoNotFound")

    def info(self, revision: str) -> None:
        if revision not in ("main", self.hub.commit):
            self.missing("RevisionNotFound")
            return
        siblings = [{"rfilename": name} for name in self.hub.files]
        about = {"id": "org/model", "sha": self.hub.commit, "siblings": siblings}
        data = json.dumps(about).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def file(self, name: str, asked: str, body: bool) -> None:
        hub = self.hub
        right = hub.files[name]
        data = hub.served.get(name, right)
        start = 0 if hub.ignores_range else int(asked.removeprefix("bytes=").rstrip("-") or 0)
        if name in hub.redirects:
            data, body, start = b"", False, 0
            self.send_response(302)
            self.send_header("Location", hub.redirects[name])
        else:
            self.send_response(206 if asked and not hub.ignores_range else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if hub.tags:
            self.send_header("X-Repo-Commit", hub.commit)
            large = name.endswith((".safetensors", ".gguf", ".bin"))
            blob = hashlib.sha1(f"blob {len(right)}\0".encode() + right)
            tag = hashlib.sha256(right) if large else blob
            self.send_header("X-Linked-Etag", f'"{tag.hexdigest()}"')
            self.send_header("X-Linked-Size", str(hub.claimed.get(name, len(right))))
        self.end_headers()
        if not body:
            return
        data = data[start:]
        if len(data) > 1000 and hub.cuts:
            self.wfile.write(data[: hub.cuts.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        if len(data) > 1000 and hub.stall is not None:
            half = len(data) // 2
            self.wfile.write(data[:half])
            self.wfile.flush()
            hub.stall.wait(60)
            data = data[half:]
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The repository `org/model` on a hub of its own, named by HF_ENDPOINT."""
    weights = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(40_000))
    hub = Hub(
        {
            "config.json": b'{"model_type": "gpt2"}',
            "tokenizer.json": b"{}" * 100,
            "model.safetensors": weights,
            "README.md": b"# A model",
            "pytorch_model.bin": b"pickle",
            "onnx/model.onnx": b"onnx",
        }
    )
    handler = type("Bound", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that break off are part of the tests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    if hub.stall is not None:
        hub.stall.set()
    server.shutdown()
    server.server_close()
    thread.join()
