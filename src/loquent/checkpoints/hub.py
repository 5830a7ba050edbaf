"""Models by name: from a name to files on this machine, pulled where they are not here yet."""

import os
from pathlib import Path

import msgspec

from loquent.checkpoints.catalogue import CATALOGUE, Entry
from loquent.checkpoints.sources import names, own, store
from loquent.checkpoints.sources.names import HubSource, OwnSource, PackageSource
from loquent.checkpoints.sources.partial import Progress, disk_error, refuse_pointer
from loquent.checkpoints.sources.store import Receipt, home
from loquent.errors import CheckpointError, nearest

__all__ = ["Listed", "Progress", "Receipt", "home", "listing", "locate", "remove", "resolve"]

RUN = "run.json"  # stands in the folder of a run of `loquent train`
POINTER_LIMIT_BYTES = 1024  # a Git LFS pointer is shorter


class Listed(msgspec.Struct, frozen=True):
    """A model that the catalogue names or that this machine holds."""

    name: str  # what `resolve` takes
    source: str
    entry: Entry | None  # None: pulled by its source, not in the catalogue
    path: Path | None  # None: not on this machine
    receipt: Receipt | None  # None: not on this machine

    @property
    def bytes(self) -> int:
        """On this machine; where it is not here, what the catalogue says."""
        if self.receipt is not None:
            return sum(kept.bytes for kept in self.receipt.files.values())
        return self.entry.bytes if self.entry is not None else 0


def resolve(
    name: str,
    *,
    progress: Progress | None = None,
    offline: bool = False,
    allow_pickle: bool = False,
) -> Path:
    """The file or folder of a model: a catalogue name, a path, `hf:…`, `package:…`, `loquent:…`.

    What is not on this machine is pulled, unless `offline`. `progress` is called with the bytes
    done and, where known, the bytes in all. Raises CheckpointError.
    """
    if (found := locate(name)) is not None:
        _refuse_pointers(found)
        return found
    source = _source_of(name)
    parsed = names.parse(source)
    if isinstance(parsed, OwnSource):
        return _merge(source, own.folder_of(parsed), progress, offline)
    if offline or (isinstance(parsed, HubSource) and _hub_is_offline()):
        raise _not_here(name, parsed, source)
    try:
        return _pull(name, parsed, source, progress or _silent, allow_pickle)
    except OSError as fault:
        raise disk_error(fault, Path(fault.filename or store.folder_of(source))) from fault


def locate(name: str) -> Path | None:
    """The file or folder of a model if it is whole on this machine; never uses the network.

    Raises CheckpointError where the name cannot mean a model at all.
    """
    if (path := _own_path(name)) is not None:
        return path
    found = _present(_source_of(name))
    return found[0] if found else None


def remove(name: str) -> int:
    """Delete a pulled model, or what an unfinished pull has left; how many bytes became free.

    Raises CheckpointError where there is nothing, or where the name is a path of the user's own.
    """
    if _own_path(name) is not None:
        raise CheckpointError("is a path of your own; only pulled models are removed.", where=name)
    source = _source_of(name)
    with store.locked(source):
        freed = store.discard(source)
    if not freed and _present(source) is not None:
        raise CheckpointError("comes with Loquent; nothing was removed.", where=name)
    if not freed:
        raise CheckpointError("is not on this machine; nothing was removed.", where=name)
    return freed


def listing() -> list[Listed]:
    """All models of the catalogue, and then what else was pulled."""
    listed = []
    for entry in CATALOGUE.values():
        path, receipt = _present(entry.source) or (None, None)
        listed.append(Listed(entry.name, entry.source, entry, path, receipt))
    known = {entry.source for entry in CATALOGUE.values()}
    for source in (receipt.source for receipt in store.receipts()):
        found = store.present(source)
        if source not in known and found is not None:
            listed.append(Listed(source, source, None, *found))
    return listed


def _present(source: str) -> tuple[Path, Receipt | None] | None:
    """What is on this machine of a source; a merged model only as this version has it."""
    parsed = names.parse(source)
    found = store.present(source)
    if not isinstance(parsed, OwnSource):
        return found
    folder = own.folder_of(parsed)
    if not own.base_of(folder):
        return folder, None
    return found if found and found[1].revision == own.revision_of(folder) else None


def _merge(source: str, folder: Path, progress: Progress | None, offline: bool) -> Path:
    """What comes with Loquent for another model, merged with that."""
    base = resolve(own.base_of(folder), progress=progress, offline=offline)
    with store.locked(source):
        if found := _present(source):
            return found[0]
        store.discard(source)
        hashes = own.merge(folder, base, store.unfinished(store.folder_of(source)))
        return store.keep(source, own.revision_of(folder), hashes)


def _pull(
    name: str,
    parsed: HubSource | PackageSource,
    source: str,
    progress: Progress,
    allow_pickle: bool,
) -> Path:
    entry = CATALOGUE.get(name)
    with store.locked(source):
        if found := store.present(source):  # another process was faster
            return found[0]
        place = store.unfinished(store.folder_of(source))
        place.mkdir(parents=True, exist_ok=True)
        # imported only here, since what fetches takes a while to import
        if isinstance(parsed, HubSource):
            from loquent.checkpoints.sources import huggingface  # noqa: PLC0415

            revision, hashes = huggingface.fetch(parsed, place, progress, allow_pickle=allow_pickle)
        else:
            from loquent.checkpoints.sources import package  # noqa: PLC0415

            revision = parsed.parts[0].version
            sha256, size = (entry.sha256, entry.bytes) if entry else ({}, 0)
            hashes = package.fetch(parsed, place, progress, sha256=sha256, size=size)
        return store.keep(source, revision, hashes)


def _own_path(name: str) -> Path | None:
    """The path that a name means, if it is one; names of the catalogue come first."""
    if not name or name in CATALOGUE or names.is_source(name):
        return None
    path = Path(name).expanduser()
    if (path / RUN).is_file() and (path / "model").is_dir():
        return path / "model"  # of a run, its trained model
    return path if path.exists() else None


def _source_of(name: str) -> str:
    if name in CATALOGUE:
        return CATALOGUE[name].source
    if names.is_source(name):
        names.parse(name)
        return name
    fix = nearest(name, CATALOGUE)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        fix = f"Did you mean 'hf:{name}'?"
    elif not fix.startswith("Did"):
        fix = "Give a name of the catalogue, an existing file or folder, hf:… or package:…."
    raise CheckpointError(
        f"there is no model {name!r}, and no such file or folder.",
        fix=f"{fix} `loquent models` lists them.",
    )


def _not_here(name: str, parsed: HubSource | PackageSource, source: str) -> CheckpointError:
    if isinstance(parsed, HubSource):
        wanted, by_hand = parsed.path or "config.json and the weights", names.hub_by_hand(parsed)
    else:
        wanted, by_hand = parsed.parts[0].path, names.package_by_hand(parsed.parts[0])
    return CheckpointError(
        f"is not on this machine, and the network is not to be used (wanted: {wanted}).",
        where=name,
        fix=f"Run `loquent models pull {name}` where there is a network and bring "
        f"{store.folder_of(source)} from there. {by_hand}",
    )


def _refuse_pointers(path: Path) -> None:
    for each in sorted(path.iterdir()) if path.is_dir() else [path]:
        if each.is_file() and each.stat().st_size < POINTER_LIMIT_BYTES:
            refuse_pointer(each, str(each))


def _hub_is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def _silent(done: int, total: int | None) -> None:
    """No progress is asked for."""
