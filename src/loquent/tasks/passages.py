"""The index of a folder's texts on disk: pieces of each file, and their embeddings.

It is `index.json` and one .npy file that it names, both in `.loquent/search/` of the folder; the
rename of `index.json` makes a new one the index, and nothing in it is believed unchecked.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import CheckpointError, DataError
from loquent.text.documents import parse

PLACE = Path(".loquent") / "search"
INDEX = "index.json"
FORMAT = 1
_INDEX_BYTES = 1 << 30

Embeddings = NDArray[np.float32]  # (N, D)
Indexed = Mapping[str, tuple["File", Embeddings]]  # by name: pieces, and the rows of these


class Piece(msgspec.Struct, frozen=True):
    """A part of a file, in characters, and the line on which it starts."""

    start: int
    stop: int
    line: int


class File(msgspec.Struct, frozen=True):
    """What the index knows of a file."""

    sha256: str
    bytes: int
    pieces: tuple[Piece, ...]


class _Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of index.json; rows of the embeddings stand in the order of the files."""

    format: int
    model: str
    fingerprint: str
    width: int
    embeddings: str  # name of the .npy file
    files: dict[str, File]


def read_index(folder: Path, checkpoint: Checkpoint) -> tuple[Indexed, str]:
    """What an index holds of each file, and why it is not used where it is there but unfit."""
    place = folder / PLACE
    if not (place / INDEX).exists():
        return {}, ""
    try:
        with (place / INDEX).open("rb") as opened:
            found = parse(opened.read(_INDEX_BYTES), _Index, str(place / INDEX))
        if found.format != FORMAT or found.fingerprint != checkpoint.fingerprint:
            return {}, f"the index was made by {found.model}; it was made anew"
        if Path(found.embeddings).name != found.embeddings:
            return {}, "the index named a file outside of it; it was made anew"
        vectors = np.load(place / found.embeddings, allow_pickle=False)
    except (OSError, ValueError, EOFError, CheckpointError) as fault:
        return {}, f"the index was damaged ({fault}); it was made anew"
    rows = sum(len(each.pieces) for each in found.files.values())
    if vectors.shape != (rows, found.width) or vectors.dtype != np.float32:
        return {}, "the sizes in the index do not fit each other; it was made anew"
    made, row = {}, 0
    for name, file in found.files.items():
        made[name] = file, vectors[row : row + len(file.pieces)]
        row += len(file.pieces)
    return made, ""


def write_index(
    place: Path, checkpoint: Checkpoint, files: Mapping[str, File], embeddings: Embeddings
) -> None:
    """Write both files of an index; the rename of index.json makes the new one the index."""
    name = f"embeddings-{hashlib.sha256(embeddings.tobytes()).hexdigest()[:16]}.npy"
    made = _Index(
        FORMAT,
        checkpoint.card.name,
        checkpoint.fingerprint,
        embeddings.shape[1],
        name,
        dict(files),
    )
    try:
        place.mkdir(parents=True, exist_ok=True)
        with (place / f".{name}").open("wb") as file:
            np.save(file, embeddings, allow_pickle=False)
        (place / f".{name}").replace(place / name)
        (place / f".{INDEX}").write_bytes(msgspec.json.encode(made))
        (place / f".{INDEX}").replace(place / INDEX)
        for old in place.glob("embeddings-*.npy"):
            if old.name != name:
                old.unlink(missing_ok=True)
    except OSError as fault:
        raise DataError(
            f"cannot be written: {fault.strerror}.",
            where=str(place),
            fix="The index is kept in the folder that is searched.",
        ) from fault
