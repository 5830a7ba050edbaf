"""Pulling from a hub: only what is needed, checked, continued; what goes wrong is explained."""

import hashlib
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loquent.checkpoints import hub
from loquent.errors import CheckpointError

NAME = "hf:org/model"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refusal(name: str = NAME, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        hub.resolve(name, **options)
    return str(caught.value)


def test_only_what_a_model_needs_is_pulled_and_kept(hub_server, home):
    told = []
    folder = hub.resolve(NAME, progress=lambda done, total: told.append((done, total)))
    found = contents(folder)
    receipt = found.pop("receipt.json")
    needed = ("config.json", "tokenizer.json", "model.safetensors")
    assert found == {name: hub_server.files[name] for name in needed}
    assert hashlib.sha256(found["model.safetensors"]).hexdigest().encode() in receipt
    assert hub_server.commit.encode() in receipt
    total = sum(len(hub_server.files[name]) for name in needed)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {each for _, each in told} == {total}
    asked = len(hub_server.asked)
    assert hub.resolve(NAME) == hub.locate(NAME) == folder
    assert len(hub_server.asked) == asked  # what is here is not asked for again
    assert [path.name for path in (home / "models").iterdir()] == [folder.name]


def test_broken_connections_are_continued_where_they_broke(hub_server):
    hub_server.cuts = [100_000, 300_000]
    folder = hub.resolve(NAME)
    assert contents(folder)["model.safetensors"] == hub_server.files["model.safetensors"]
    ranges = hub_server.gets("model.safetensors")
    assert len(ranges) == 3
    starts = [int(at.removeprefix("bytes=").rstrip("-")) for at in ranges]
    assert starts[0] == 0 < starts[1] < starts[2]


@pytest.mark.parametrize("seed", range(4))
def test_connections_may_break_anywhere(hub_server, seed):
    chance = random.Random(seed)
    hub_server.cuts = [chance.choice([1, chance.randrange(600_000)]) for _ in range(3)]
    hub_server.files["tokenizer.json"] = chance.randbytes(chance.randrange(100_000))
    hub_server.files["merges.txt"] = b""
    found = contents(hub.resolve(NAME))
    del found["receipt.json"]
    assert found == {name: hub_server.files[name] for name in found}
    assert len(found) == 4


def test_a_network_that_embeds_texts_keeps_its_folders(hub_server):
    hub_server.files["modules.json"] = b"[]"
    hub_server.files["1_Pooling/config.json"] = b'{"pooling_mode_cls_token": true}'
    hub_server.files["onnx/config.json"] = b"{}"
    hub_server.files["../1_Pooling/config.json"] = b"{}"
    folder = hub.resolve(NAME)
    pooling = folder / "1_Pooling" / "config.json"
    assert pooling.read_bytes() == hub_server.files["1_Pooling/config.json"]
    assert (folder / "modules.json").is_file()
    assert not (folder / "onnx").exists()
    assert set(folder.parent.rglob("config.json")) == {folder / "config.json", pooling}


def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(hub_server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    tokens: dict[str, list[str | None]] = {"hub": hub_server.tokens, "storage": []}
    weights = hub_server.files["model.safetensors"]

    class Storage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens["storage"].append(self.headers.get("Authorization"))
            self.send_response(200)
            self.send_header("Content-Length", str(len(weights)))
            self.end_headers()
            self.wfile.write(weights)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Storage) as storage:
        threading.Thread(target=storage.serve_forever, args=(0.05,), daemon=True).start()
        # another name for the same machine: another host
        hub_server.redirects["model.safetensors"] = f"http://localhost:{storage.server_port}/x"
        folder = hub.resolve(NAME)
        storage.shutdown()
    assert contents(folder)["model.safetensors"] == weights
    assert set(tokens["hub"]) == {"Bearer hf_secret"}
    assert tokens["storage"] == [None]


def test_a_server_without_ranges_begins_again(hub_server):
    hub_server.cuts = [100_000]
    hub_server.ignores_range = True
    folder = hub.resolve(NAME)
    assert contents(folder)["model.safetensors"] == hub_server.files["model.safetensors"]


@pytest.mark.parametrize("left", [b"", b"half", b"wrong", b"whole"])
def test_what_an_earlier_try_left_is_continued_or_replaced(hub_server, home, left):
    right = hub_server.files["model.safetensors"]
    folder = hub.resolve(NAME)
    unfinished = folder.with_name(f"{folder.name}.partial")
    folder.rename(unfinished)
    begun = {b"": b"", b"half": right[:500_000], b"wrong": b"x" * 500_000, b"whole": right}
    (unfinished / "model.safetensors").unlink()
    (unfinished / "model.safetensors.partial").write_bytes(begun[left])
    hub_server.asked.clear()
    assert contents(hub.resolve(NAME))["model.safetensors"] == right
    starts = {b"": [0], b"half": [500_000], b"wrong": [500_000, 0], b"whole": []}[left]
    assert hub_server.gets("model.safetensors") == [f"bytes={start}-" for start in starts]
    assert hub_server.gets("config.json") == []  # whole and right: kept


def test_wrong_bytes_are_fetched_anew_once_and_then_refused(hub_server, home):
    right = hub_server.files["model.safetensors"]
    hub_server.served["model.safetensors"] = right[:-1] + b"\0"
    message = refusal()
    assert "checksum" in message
    assert "model.safetensors" in message
    assert hub_server.gets("model.safetensors") == ["bytes=0-", "bytes=0-"]
    assert hub.locate(NAME) is None
    assert not list(home.rglob("model.safetensors*"))
    hub_server.served.clear()
    assert hub.resolve(NAME).is_dir()


def test_small_files_are_checked_by_their_git_name(hub_server):
    hub_server.served["config.json"] = b'{"model_type": "evil"}'
    assert "config.json" in refusal()


def test_more_bytes_than_told_are_refused(hub_server, home):
    hub_server.claimed["model.safetensors"] = 1000
    message = refusal()
    assert "1000 bytes" in message
    assert max(path.stat().st_size for path in home.rglob("*") if path.is_file()) <= 1000


def test_a_pointer_is_named_as_one(hub_server):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    hub_server.files["model.safetensors"] = pointer
    assert "Git LFS pointer" in refusal()


def test_a_full_disk_is_told_before_anything_is_fetched(hub_server):
    hub_server.claimed["model.safetensors"] = 1 << 60
    message = refusal()
    assert str(1 << 60)[:8] in message
    assert "LOQUENT_HOME" in message
    assert hub_server.gets("model.safetensors") == []


def test_a_hub_without_checksums_is_refused(hub_server):
    hub_server.tags = False
    refusal()
    assert hub_server.gets("model.safetensors") == []


def test_pickled_weights_need_the_word(hub_server):
    del hub_server.files["model.safetensors"]
    assert "--allow-pickle" in refusal()
    folder = hub.resolve(NAME, allow_pickle=True)
    assert contents(folder)["pytorch_model.bin"] == b"pickle"


def test_one_gguf_is_the_model_and_of_several_one_is_chosen(hub_server):
    hub_server.files = {"a.gguf": b"GGUF a", "README.md": b""}
    assert hub.resolve(NAME).read_bytes() == b"GGUF a"
    hub_server.files = {"a.gguf": b"GGUF a", "more/b.gguf": b"GGUF b"}
    assert hub.resolve(f"{NAME}/more/b.gguf").name == "b.gguf"
    hub_server.files = {"a.gguf": b"", "b.gguf": b""}
    assert f"{NAME}/b.gguf" in refusal(f"{NAME}@{hub_server.commit}")
    assert "'a.gguf'" in refusal(f"{NAME}/c.gguf")
    hub_server.files = {"README.md": b""}
    assert "no weights" in refusal(f"{NAME}@{hub_server.commit}")


def test_shards_are_taken_by_their_index(hub_server):
    shards = {f"model-0000{n}-of-00002.safetensors": b"%d" % n for n in (1, 2)}
    index = {"model.safetensors.index.json": b"{}"}
    hub_server.files = {**shards, **index, "consolidated.safetensors": b"x", "config.json": b"{}"}
    found = contents(hub.resolve(NAME))
    assert set(found) == {*shards, *index, "config.json", "receipt.json"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hf:org/other", "not on the hub"),
        (f"{NAME}@v2", "no such revision"),
        (f"{NAME}/none.gguf", "no file 'none.gguf'"),
        ("hf:org--x/a..b", "could not be fetched"),
    ],
)
def test_what_the_hub_does_not_have_is_told(hub_server, name, words):
    assert words in refusal(name)


def test_an_unreachable_hub_is_told_with_the_way_by_hand(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    message = refusal("gpt2")
    assert "openai-community/gpt2" in message
    assert "By hand" in message
    assert "config.json and the weights" in message


def test_offline_nothing_is_asked_and_what_is_here_is_found(hub_server, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    message = refusal()
    assert "network is not to be used" in message
    assert "loquent models pull hf:org/model" in message
    assert not hub_server.asked
    monkeypatch.delenv("HF_HUB_OFFLINE")
    folder = hub.resolve(NAME)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.resolve(NAME, offline=True) == folder


def test_the_hub_prints_nothing(hub_server, capfd):
    hub_server.cuts = [100_000]
    hub.resolve(NAME)
    assert capfd.readouterr() == ("", "")
