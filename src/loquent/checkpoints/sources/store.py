"""Where pulled models are kept: a folder for each source, complete or not there at all."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from loquent.checkpoints.sources.names import is_plain, key

RECEIPT = "receipt.json"


class Kept(msgspec.Struct, frozen=True):
    """A file of a pulled model."""

    bytes: int
    sha256: str


class Receipt(msgspec.Struct, frozen=True):
    """What a pull has brought; it stands beside the files and is written last."""

    source: str
    revision: str  # the commit of a hub's repository, or the version of a package
    files: dict[str, Kept]


def home() -> Path:
    """Where models are kept: `$LOQUENT_HOME`, or `loquent` in the platform's cache folder."""
    if chosen := os.environ.get("LOQUENT_HOME"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "loquent"


def folder_of(source: str) -> Path:
    """The folder of a source's files, there or not."""
    return home() / "models" / key(source)


def unfinished(folder: Path) -> Path:
    """The folder in which a model's files stand until all are there and right."""
    return folder.with_name(f"{folder.name}.partial")


def present(source: str) -> tuple[Path, Receipt] | None:
    """Path and receipt of a pulled model, if all its files are there in their full length."""
    folder = folder_of(source)
    receipt = _read(folder / RECEIPT)
    if receipt is None or not receipt.files:
        return None
    for name, kept in receipt.files.items():
        path = folder / name
        if not is_plain(name) or not path.is_file() or path.stat().st_size != kept.bytes:
            return None
    return path_of(folder, receipt.files), receipt


def path_of(folder: Path, files: Iterable[str]) -> Path:
    """What is opened: the file where there is only one, else the folder."""
    each = list(files)
    return folder / each[0] if len(each) == 1 else folder


def receipts() -> Iterator[Receipt]:
    """The receipts of all pulled models."""
    for place in sorted((home() / "models").glob(f"*/{RECEIPT}")):
        receipt = _read(place)
        if receipt is not None and place.parent == folder_of(receipt.source):
            yield receipt


def keep(source: str, revision: str, hashes: Mapping[str, str]) -> Path:
    """Give an unfinished folder its name, with these files in it and nothing else."""
    folder = folder_of(source)
    place = unfinished(folder)
    for path in place.rglob("*"):
        if path.is_file() and path.relative_to(place).as_posix() not in hashes:
            path.unlink()
    files = {name: Kept((place / name).stat().st_size, sha256) for name, sha256 in hashes.items()}
    with (place / RECEIPT).open("wb") as file:
        plain = msgspec.json.encode(Receipt(source, revision, files))
        file.write(msgspec.json.format(plain) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    from shutil import rmtree  # noqa: PLC0415  # takes a while to import; seldom needed

    if folder.exists():  # damaged, or it would have been found
        rmtree(folder)
    place.replace(folder)
    return path_of(folder, files)


def discard(source: str) -> int:
    """Delete what is there of a model; how many bytes became free."""
    from shutil import rmtree  # noqa: PLC0415

    freed = 0
    folder = folder_of(source)
    for place in (folder, unfinished(folder)):
        if place.exists():
            freed += sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
            rmtree(place)
    return freed


@contextmanager
def locked(source: str) -> Iterator[None]:
    """Only one process at a time brings or removes a model; the others wait."""
    from filelock import FileLock  # noqa: PLC0415  # not needed to find what is there

    place = home() / "locks"
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / f"{key(source)}.lock"):
        yield


def _read(path: Path) -> Receipt | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Receipt)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
        return None  # not pulled, or damaged: both mean that it is to be pulled
