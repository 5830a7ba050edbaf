"""Files of tensors: what is written comes back, and what is wrong is named."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from loquent.checkpoints.files import safetensors as ours
from loquent.checkpoints.files import shards
from loquent.checkpoints.files.gguf import open_gguf
from loquent.checkpoints.files.open import open_container
from loquent.errors import CheckpointError

HOSTILE = [
    "../model.safetensors", "..", ".", "", "/etc/passwd", "a/b.safetensors", "a\\b.safetensors",
    "\\\\server\\share\\x.safetensors", "C:\\x.safetensors", "C:x", "x\0.safetensors", "x" * 10_000,
    "~/x.safetensors", "file:///etc/passwd", "http://example.com/x", "./x.safetensors", ".hidden",
    "x.safetensors/", "//x", "x\n.safetensors", "x\r", "x\t", " x", "x ", "%2e%2e/x", "..%2fx",
    "\u202ex", "ｘ.safetensors", "..\u2215x", "..／x", "x\u0000", "x:stream", "x|y", "x?", "x*",
    "<x>", '"x"', "$HOME/x", "`id`", "$(id)", "x;y", "-rf", "x\x7f", "\x1b[31m", "nul\0",
    "..\\..\\x", "a/../../x", "/proc/self/mem", "/dev/zero", "x.", "nul", "COM1.safetensors",
]  # fmt: skip


def write(path: Path, header: bytes, data: bytes = b"") -> Path:
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool"],
)
def test_types_are_read_as_the_library_reads_them(dtype: str, tmp_path: Path) -> None:
    values = (torch.arange(-12, 12).reshape(4, 6) % 100).to(getattr(torch, dtype))
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"x": values}, path)
    found = open_container(path)["x"]
    wanted = values.float().numpy() if dtype == "bfloat16" else values.numpy()
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)


def test_what_is_written_opens_in_the_library(small_safetensors: Path) -> None:
    theirs, container = (
        safetensors.numpy.load_file(small_safetensors),
        open_container(small_safetensors),
    )
    assert list(container) == ["a.weight", "b", "c.bias"]
    assert container.metadata == {"format": "pt"}
    assert set(theirs) == set(container)
    for name, array in theirs.items():
        assert np.array_equal(container[name], array)
        assert container.shape(name) == array.shape
    assert small_safetensors.stat().st_mode & 0o777 == 0o644
    assert len(list(small_safetensors.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (b"[]", b"", "does not start with"),
        (b'{"a":', b"", "not JSON"),
        (b'{"a":{},"a":{}}', b"", "is there twice"),
        (b"{", b"", "byte 9: the header is not JSON"),
        (b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},', b"", "byte 61: .* not JSON"),
        (b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}\x0b', b"", "not JSON"),
        (b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]} "b":{}}', b"", "not JSON"),
        (b'{"a":1}', b"", "a flat object"),
        (b'{"a":{"b":{}}}', b"", "a flat object"),
        (
            b'{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}',
            b"",
            "dtype. is th",
        ),
        (b'{"a":{"dtype":' + b'"U8' + b" " * 5000 + b'"}}', b"", "says too much of 'a'"),
        (b'{"' + b"a" * 5000 + b'":{}}', b"", "names over 4096 bytes"),
        (b'{"a\xff":{}}', b"", "byte 11: .* not JSON"),
        (b'{"a":{"dtype":"F32"}}', b"", "tensor 'a': needs dtype, shape"),
        (b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', b"x", "type 'F8_E4M3'"),
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', b"xxxx", "needs 8"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"x", "ends at byte"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"x" * 8, "leaves a hole"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"x" * 8, "belong to none"),
        (
            b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},'
            b'"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
            b"x" * 6,
            "overlaps",
        ),
        (b'{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,4]}}', b"xxxx", "whole numbers"),
        (b'{"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}}', b"xxxx", "whole numbers"),
        (b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}', b"xxxx", "impossible"),
        (
            b'{"a":{"dtype":"U8","shape":[4611686018427387904,8],"data_offsets":[0,0]}}',
            b"",
            "whole numbers|impossible",
        ),
        (b'{"__metadata__":{"a":1}}', b"", "text to text"),
        (b"{" + b'"a":[' * 5000, b"", "not JSON"),
    ],
)
def test_a_wrong_safetensors_file_is_named(
    header: bytes, data: bytes, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.safetensors", header, data)
    with pytest.raises(CheckpointError, match=message) as caught:
        ours.open_safetensors(path)
    assert str(path) in str(caught.value)


def test_names_and_notes_may_hold_what_json_escapes(tmp_path: Path) -> None:
    name, notes = 'a "{}" \\ ü\n世', {"format": "pt", "note {": '{"x": ["\\"]}', "": ""}
    path = tmp_path / "x.safetensors"
    safetensors.numpy.save_file({name: np.ones(3, np.float32)}, path, notes)
    container = open_container(path)
    assert list(container) == [name]
    assert container.metadata == notes
    spaced = b' { "a" :\t{ "shape" : [ ] , "data_offsets":[0,4],"dtype":"F32"}\r\n} '[1:]
    assert open_container(write(path, spaced, b"\0" * 4)).shape("a") == ()
    assert len(open_container(write(path, b"{ }  "))) == 0


def test_a_header_longer_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes((2**40).to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="claims a header of 1099511627776 bytes"):
        ours.open_safetensors(path)


def test_shards_come_back_as_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    arrays = {f"w{i}": generator.normal(size=(10, i + 1)).astype(np.float32) for i in range(6)}
    shapes = {name: array.shape for name, array in arrays.items()}
    shards.write_shards(tmp_path, shapes, arrays.__getitem__, 300)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    container = open_container(tmp_path)
    assert {name: container.shape(name) for name in container} == shapes
    assert all(np.array_equal(container[name], array) for name, array in arrays.items())
    index = json.loads((tmp_path / shards.INDEX).read_text())
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in arrays.values())

    index["weight_map"]["w0"], index["weight_map"]["extra"] = index["weight_map"]["w5"], "gone.x"
    (tmp_path / shards.INDEX).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"gone\.x is missing"):
        open_container(tmp_path)
    del index["weight_map"]["extra"]
    (tmp_path / shards.INDEX).write_text(json.dumps(index))
    with pytest.raises(
        CheckpointError, match=r"'w0': is not in model(.|\n)*'w0': is not in the index"
    ):
        open_container(tmp_path)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_hostile_names_of_shards_are_refused_before_any_file_is_opened(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / shards.INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    opened: list[Path] = []
    monkeypatch.setattr(shards, "open_safetensors", opened.append)
    with pytest.raises(CheckpointError, match="is not a bare file name"):
        shards.open_shards(tmp_path / shards.INDEX)
    assert opened == []


def test_links_out_of_the_folder_are_refused(small_safetensors: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.safetensors").symlink_to(small_safetensors)
    (folder / "d.safetensors").mkdir()
    os.mkfifo(folder / "f.safetensors")
    for name in ("a", "d", "f"):
        index = {"weight_map": {"b": f"{name}.safetensors"}}
        (folder / shards.INDEX).write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match="is not a file of this folder"):
            shards.open_shards(folder / shards.INDEX)


def test_the_hubs_cache_links_to_its_blobs(small_safetensors: Path, tmp_path: Path) -> None:
    blobs, folder = tmp_path / "cache" / "blobs", tmp_path / "cache" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    folder.mkdir(parents=True)
    (blobs / "123").write_bytes(small_safetensors.read_bytes())
    (folder / "x.safetensors").symlink_to(blobs / "123")
    names = dict.fromkeys(open_container(small_safetensors), "x.safetensors")
    (folder / shards.INDEX).write_text(json.dumps({"weight_map": names}))
    assert len(open_container(folder)) == 3


@pytest.mark.parametrize("text", ["[]", "{", '{"weight_map": {"a": 1}}', "{}", "[" * 100_000])
def test_an_index_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / shards.INDEX).write_text(text)
    with pytest.raises(CheckpointError, match=shards.INDEX):
        open_container(tmp_path)


def test_gguf_tells_what_the_reference_tells(small_gguf: Path) -> None:
    container, reference = open_container(small_gguf), gguf.GGUFReader(small_gguf)
    assert container.metadata["tokenizer.ggml.tokens"] == ["<s>", "Ġhello", "世界", "x" * 50]
    assert container.metadata["test.numbers"] == [1, 2, 3]
    assert container.metadata["test.flag"] is True
    assert container.metadata["test.float"] == 0.5
    assert [each.name for each in reference.tensors] == list(container)
    for each in reference.tensors:
        wanted = gguf.quants.dequantize(each.data, each.tensor_type)
        assert container.shape(each.name) == tuple(int(n) for n in each.shape[::-1])
        assert np.array_equal(container[each.name].astype(np.float32), wanted)


def patched(path: Path, at: int, new: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[at : at + len(new)] = new
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: patched(path, 4, (1).to_bytes(4, "little")), "version 1; versions 2 and 3"),
        (lambda path: patched(path, 4, (3).to_bytes(4, "big")), "big-endian"),
        (lambda path: patched(path, 8, (2**60).to_bytes(8, "little")), "claims .* tensors"),
        (lambda path: patched(path, 16, (2**60).to_bytes(8, "little")), "claims .* keys"),
        (lambda path: patched(path, 24, (2**60).to_bytes(8, "little")), "a key claims"),
        (lambda path: patched(path, 33, b"\xff"), "a key is not UTF-8"),
    ],
)
def test_a_wrong_gguf_file_is_named(
    change: Callable[[Path], Path], message: str, small_gguf: Path
) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        open_gguf(change(small_gguf))
    assert f"{small_gguf}: byte " in str(caught.value)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def info(name: bytes, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


@pytest.mark.parametrize(
    ("tensors", "keys", "message"),
    [
        ([], [text(b"k") + struct.pack("<I", 99)], "key 'k' has the unknown type 99"),
        ([], [text(b"k") + struct.pack("<IIQ", 9, 9, 1) + b"\0" * 12], "array of type 9"),
        ([], [text(b"k") + struct.pack("<IIQ", 9, 8, 2**40)], "claims 1099511627776 items"),
        ([], [text(b"k") + struct.pack("<I?", 7, True)] * 2, "key 'k' is there twice"),
        ([info(b"x", (2,) * 5)], [], "tensor 'x' has 5 dimensions"),
        ([info(b"x", (2**62, 2**62))], [], "tensor 'x' has the impossible shape"),
        ([info(b"x", (2**32, 2**32, 2))], [], "tensor 'x' has the impossible shape"),
        ([info(b"x", (0, 2))], [], "tensor 'x' has the impossible shape"),
        ([info(b"x", (31, 2), 2)], [], "tensor 'x': has rows of 31 values, not a multiple of 32"),
        ([info(b"x", (2**40,))], [], "tensor 'x': should stand at byte"),
        ([info(b"x", (2,), 0, 4)], [], "tensor 'x': should stand at byte"),
        ([info(b"x", (2,), 0, 2**63)], [], "tensor 'x': should stand at byte"),
        ([info(b"x", (9,)), info(b"y", (2,), 0, 32)], [], "tensor 'y': overlaps tensor 'x'"),
        ([info(b"x", (2,)), info(b"x", (2,), 0, 32)], [], "tensor 'x': is there twice"),
    ],
)
def test_what_is_wrong_inside_a_gguf_file_is_named(
    tensors: list[bytes], keys: list[bytes], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.gguf"
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    path.write_bytes(head + b"".join(keys) + b"".join(tensors) + b"\0" * 128)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_container(path)
    assert str(path) in str(caught.value)


def test_gguf_parts_types_and_alignment(tmp_path: Path) -> None:
    def made(name: str, fill: Callable[[gguf.GGUFWriter], None]) -> Path:
        path = tmp_path / name
        writer = gguf.GGUFWriter(path, "llama")
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def long(writer: gguf.GGUFWriter) -> None:
        writer.add_string("one", "x" * 2**24)
        writer.add_string("two", "x" * 2**24)

    with pytest.raises(CheckpointError, match="key 'two' brings the metadata over 25165824 bytes"):
        open_gguf(made("long.gguf", long))
    part = made("part.gguf", lambda writer: writer.add_uint16("split.count", 3))
    with pytest.raises(CheckpointError, match=r"is one part of 3\. Join them first"):
        open_gguf(part)
    strange = made("strange.gguf", lambda writer: writer.add_uint32("general.alignment", 33))
    with pytest.raises(CheckpointError, match=r"general\.alignment 33"):
        open_gguf(strange)
    raw = np.zeros((1, 66), np.uint8)
    kind = gguf.GGMLQuantizationType.IQ2_XXS
    other = made("iq.gguf", lambda writer: writer.add_tensor("x", raw, raw_dtype=kind))
    with pytest.raises(
        CheckpointError, match=r"tensor 'x': is stored as ggml type 16.*Choose a file"
    ):
        open_gguf(other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\n<html>", "is a web page"),
        (b"\x1f\x8b\x08\x00", "is compressed"),
        (b"hello there", "is no file of weights"),
        (b"PK\x03\x04zip", "is a pickled PyTorch file"),
        (b"\x80\x02}q\x00.", "is a pickled PyTorch file"),
    ],
)
def test_files_that_hold_no_weights_are_recognized(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_container(path)
    assert str(path) in str(caught.value)


def test_folders_without_or_with_too_many_weights(tmp_path: Path, small_safetensors: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(CheckpointError, match="holds no weights"):
        open_container(folder)
    for name in ("a.safetensors", "b.safetensors"):
        (folder / name).write_bytes(small_safetensors.read_bytes())
    with pytest.raises(CheckpointError, match=r"holds 2 files of weights \(a\.safe.*Name one"):
        open_container(folder)
    (folder / "b.safetensors").unlink()
    assert len(open_container(folder)) == 3
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_container(tmp_path / "none")


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("pipe.safetensors", shards.INDEX):
        os.mkfifo(tmp_path / name)
        with pytest.raises(CheckpointError, match="is not a plain file"):
            open_container(tmp_path / name)
    with pytest.raises(CheckpointError, match="is not a plain file"):
        open_container(tmp_path)
    with pytest.raises(CheckpointError, match="is not a plain file"):
        open_container(Path("/dev/zero"))


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    def read(name: str) -> np.ndarray:
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError, match="cannot be written: No space left"):
        ours.write_safetensors(tmp_path / "x.safetensors", {"a": (2,)}, read)
    assert list(tmp_path.iterdir()) == []
