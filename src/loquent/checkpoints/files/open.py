"""Whatever holds weights, recognized by what is in it rather than by its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from loquent.checkpoints.files import gguf, shards
from loquent.checkpoints.files.container import Container
from loquent.checkpoints.files.ctranslate2 import is_ctranslate2, open_ctranslate2
from loquent.checkpoints.files.legacy import open_legacy
from loquent.checkpoints.files.mapped import mapped
from loquent.checkpoints.files.onnx import open_onnx, open_pair
from loquent.checkpoints.files.safetensors import open_safetensors
from loquent.errors import CheckpointError

ONNX_PAIR = ("encoder.onnx", "decoder.onnx")
_POINTER = b"version https://git-lfs.github.com/spec/"


def open_container(path: Path, *, allow_pickle: bool = False) -> Container:
    """Open a file of tensors, or the weights in a folder.

    Raises CheckpointError that says what a file is that holds none.
    """
    if path.is_dir():
        return _open_folder(path, allow_pickle)
    return _reader(path, bytes(mapped(path)[:512]), allow_pickle)(path)


def _reader(path: Path, start: bytes, allow_pickle: bool) -> Callable[[Path], Container]:
    pickled = partial(open_legacy, allow_pickle=allow_pickle)
    readers: tuple[tuple[bool, Callable[[Path], Container]], ...] = (
        (start.startswith(gguf.MAGIC), gguf.open_gguf),
        (start[8:9] == b"{" and start[6:8] == b"\0\0", open_safetensors),
        (start.startswith(b"PK\x03\x04"), pickled),
        (start.startswith(b"\x80") and start[1:2] in (b"\2", b"\3", b"\4", b"\5"), pickled),
        (path.suffix in (".bin", ".pt", ".pth") and start[257:262] == b"ustar", pickled),
        (is_ctranslate2(start), open_ctranslate2),
    )
    for matches, reader in readers:
        if matches:
            return reader
    if path.suffix == ".onnx" and not start.startswith((_POINTER, b"<")):
        return open_onnx  # it has no first bytes of its own
    if path.suffix == ".safetensors" and not start.startswith((_POINTER, b"<")):
        return open_safetensors  # its errors name the byte
    raise CheckpointError(*_what(start), where=str(path))


def _what(start: bytes) -> tuple[str]:
    if start.startswith(_POINTER):
        return (
            "is a Git LFS pointer, not the file itself. Fetch it with `git lfs pull`, or by "
            "`loquent models pull hf:ORG/NAME`.",
        )
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return ("is a web page, not weights: an error page was saved under this name.",)
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")):
        return ("is compressed. Unpack it first.",)
    return (f"is no file of weights that is read here (it starts with {start[:8]!r}).",)


def _open_folder(folder: Path, allow_pickle: bool) -> Container:
    if (folder / shards.INDEX).exists():
        return shards.open_shards(folder / shards.INDEX)
    if all((folder / name).is_file() for name in ONNX_PAIR):
        return open_pair(*(folder / name for name in ONNX_PAIR))
    for pattern in (
        shards.SINGLE,
        "*.safetensors",
        "*.gguf",
        "pytorch_model.bin",
        "*.bin",
        "*.pt*",
        "*.onnx",
    ):
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        if len(found) == 1:
            return open_container(found[0], allow_pickle=allow_pickle)
        if found:
            names = ", ".join(path.name for path in found[:5])
            raise CheckpointError(
                f"holds {len(found)} files of weights ({names}) and no index.",
                where=str(folder),
                fix="Name one of them.",
            )
    raise CheckpointError("holds no weights.", where=str(folder))
