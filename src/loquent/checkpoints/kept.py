"""What opening a checkpoint has taught, kept so that next time its files need not be read.

It lies under `$LOQUENT_HOME/opened` in a folder that is named by the checkpoint's path and by the
state of its files and of the code that read them: what has changed is not found, and read anew.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

import msgspec
import tokenizers
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.checkpoint import Card, Checkpoint
from loquent.checkpoints.generation import Generation
from loquent.checkpoints.sentences import Sentences
from loquent.checkpoints.sources.store import home
from loquent.digest import sha256
from loquent.errors import CheckpointError, UserError
from loquent.settings import write
from loquent.text.quick import MERGES, VOCABULARY, Quick, read_quick, write_quick

SETTLED_SECONDS = 2.0  # some file systems note times no finer: only what is older can be told apart
_RECORD = "opened.msgpack"
_SUM = Struct("<I")
_SOURCE = Path(__file__).parents[1]
_CODE = (
    "architecture", "checkpoints", "checkpoints/families", "checkpoints/files", "text",
    "text/readers",
)  # fmt: skip


class Place(msgspec.Struct, frozen=True):
    """Where a checkpoint in the present state of its files is kept."""

    path: Path  # the checkpoint
    folder: Path
    changed: float  # when one of the files was last changed, in seconds since 1970


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    config: ModelConfig
    card: Card
    generation: Generation
    sentences: Sentences | None
    files: tuple[str, ...]
    tokenizer: Quick | None
    sums: dict[str, int]  # CRC-32 of the files beside this record


def place_of(path: Path) -> Place | None:
    """The place of a checkpoint, there or not; None where its files cannot be looked at."""
    digest = sha256(tokenizers.__version__.encode())
    changed = 0.0
    try:
        for file in (*_files(path), *_code()):
            at = file.stat()
            # the time of change tells also of what sets the time of modification back
            state = (at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino, at.st_dev)
            digest.update(f"{file}\0{state}\0".encode(errors="surrogateescape"))
            if file.suffix != ".py":
                changed = max(changed, at.st_mtime, at.st_ctime)
    except OSError:
        return None
    name = f"{_start(path)}{digest.hexdigest()[:32]}"
    return Place(path, home() / "opened" / name, changed)


def find(place: Place) -> Checkpoint | None:
    """The checkpoint as it was opened before; None where it was not, or what was kept is damaged.

    Its weights are read from its files when one of them is asked for.
    """
    try:
        kept = _read(place.folder)
        quick = kept.tokenizer
        tokenizer = read_quick(quick, place.folder) if quick is not None else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, UserError):
        _discard(place.folder)
        return None
    return Checkpoint(
        config=kept.config,
        weights=_Unread(place),
        tokenizer=tokenizer,
        card=kept.card,
        generation=kept.generation,
        sentences=kept.sentences,
        path=place.path,
        files=tuple(map(Path, kept.files)),
        known=kept.fingerprint,
    )


def keep(checkpoint: Checkpoint, place: Place) -> None:
    """Keep a checkpoint that was opened after `place` was found.

    Nothing is kept where its files have changed meanwhile or so lately that a further change might
    not be seen, and nothing where there is no room for it: it only saves time.
    """
    if checkpoint.source_tokenizer is not None:
        return  # a record holds one tokenizer
    fingerprint = checkpoint.fingerprint
    if place != place_of(place.path) or time.time() - place.changed < SETTLED_SECONDS:
        return
    opened = place.folder.parent
    try:
        new = opened / f"new-{os.getpid()}-{threading.get_ident()}"
        new.mkdir(parents=True)
    except OSError:
        return
    try:
        _write(checkpoint, fingerprint, new)
        forget(place.path)
        new.rename(place.folder)
    except OSError:
        _discard(new)


def forget(path: Path) -> None:
    """Delete what is kept of a checkpoint in any state of its files."""
    for old in (home() / "opened").glob(f"{_start(path)}*"):
        _discard(old)


def _write(checkpoint: Checkpoint, fingerprint: str, folder: Path) -> None:
    tokenizer = checkpoint.tokenizer
    quick = write_quick(tokenizer, folder) if tokenizer is not None else None
    kept = _Kept(
        fingerprint=fingerprint,
        config=checkpoint.config,
        card=checkpoint.card,
        generation=checkpoint.generation,
        sentences=checkpoint.sentences,
        files=tuple(map(str, checkpoint.files)),
        tokenizer=quick,
        sums={file.name: crc32(file.read_bytes()) for file in folder.iterdir()},
    )
    body = msgspec.msgpack.encode(kept, enc_hook=dict)  # of read-only mappings
    (folder / _RECORD).write_bytes(_SUM.pack(crc32(body)) + body)
    again = _read(folder).config
    if msgspec.json.encode(write(again)) != msgspec.json.encode(write(checkpoint.config)):
        raise OSError("the settings would not be the same")


def _read(folder: Path) -> _Kept:
    """Raises OSError, or ValueError where anything is not as it was written."""
    data = (folder / _RECORD).read_bytes()
    body = data[_SUM.size :]
    if data[: _SUM.size] != _SUM.pack(crc32(body)):
        raise ValueError("the record is damaged")
    kept = msgspec.msgpack.decode(body, type=_Kept)
    for name in (VOCABULARY, MERGES) if kept.tokenizer and kept.tokenizer.split else ():
        if crc32((folder / name).read_bytes()) != kept.sums[name]:
            raise ValueError(f"{name} is damaged")
    return kept


def _discard(folder: Path) -> None:
    from shutil import rmtree  # noqa: PLC0415  # takes a while to import; seldom needed

    rmtree(folder, ignore_errors=True)


def _start(path: Path) -> str:
    """How the names of all places of a checkpoint begin, for this installation of Loquent."""
    both = f"{_SOURCE}\0{path.absolute()}".encode(errors="surrogateescape")
    return f"{sha256(both).hexdigest()[:32]}-"


def _files(path: Path) -> Iterator[Path]:
    """Every file on which the opening of a checkpoint may depend."""
    if path.suffix == ".gguf" and path.is_file():
        yield path
        return
    folder = path if path.is_dir() else path.parent
    for each in sorted(folder.iterdir()):
        if each.is_file():
            yield each
        elif (inner := each / "config.json").is_file():  # how states are pooled
            yield inner
    templates = folder / "additional_chat_templates"
    if templates.is_dir():
        yield from sorted(templates.iterdir())


def _code() -> Iterator[Path]:
    """The modules that open checkpoints: whoever changes them wants to see what they do."""
    for folder in _CODE:
        yield from sorted((_SOURCE / folder).glob("*.py"))


class _Unread(Mapping[str, NDArray[Any]]):
    """Weights whose files are opened when the first is asked for."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @cached_property
    def _weights(self) -> Mapping[str, NDArray[Any]]:
        weights = Checkpoint.open(self._place.path).weights
        if place_of(self._place.path) != self._place:
            raise CheckpointError(
                "has changed since it was opened.", where=str(self._place.path), fix="Try again."
            )
        return weights

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One weight, read from its file."""
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        """The names of the weights."""
        return iter(self._weights)

    def __len__(self) -> int:
        """How many weights there are."""
        return len(self._weights)
