"""A small search by meaning over the texts of a folder, whose index is kept beside them.

The index is `.loquent/search/` in the folder: `index.json` with the pieces of each file, and their
embeddings as one .npy file. Files that have not changed are not read again by the model.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loquent.errors import DataError, RequestError, UsageError
from loquent.lm.lm import LM
from loquent.lm.reading import cannot, reading_length
from loquent.tasks.asking import Progress
from loquent.tasks.fitting import checked, pieces, readable
from loquent.tasks.passages import PLACE, Embeddings, File, Piece, read_index, write_index

PIECE_TOKENS = 120  # of a piece at most: a passage that means one thing
_MOST_BYTES = 8 << 20  # of a file
_AT_ONCE = 64  # pieces that are embedded together


@dataclass(frozen=True)
class Hit:
    """A passage that is near to what was searched for."""

    file: str  # below the folder
    line: int
    start: int  # number of its first character in the file
    stop: int
    score: float  # cosine
    text: str

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "score": round(self.score, 6)}


@dataclass(frozen=True)
class Indexed:
    """What an indexing did."""

    files: int
    pieces: int
    read: int  # files that the model read, since they are new or have changed
    removed: int  # files that are no longer there
    skipped: Mapping[str, str]  # file: why it is not in the index
    note: str = ""  # why an older index was not used


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder with an index that fits its texts."""

    path: Path
    files: Mapping[str, File]
    embeddings: Embeddings
    report: Indexed


def index(lm: LM, path: Path | str, *, progress: Progress | None = None) -> Folder:
    """Bring the index of a folder up to date, and open it.

    Hidden files, and those that are no UTF-8 text or over 8 MiB, are left out and told. An index
    of another model, or one that is damaged, is made anew. Raises RequestError for a model that
    does not embed, and DataError for a folder that is not there or holds no text.
    """
    if lm.network.config.output != "embedding":
        raise cannot(lm.network.config, "embed texts")
    folder = Path(path)
    if not folder.is_dir():
        raise DataError("is no folder.", where=str(folder))
    old, note = read_index(folder, lm.checkpoint)
    skipped: dict[str, str] = {}
    files: dict[str, File] = {}
    rows: list[Embeddings] = []
    read = 0
    found = sorted(_texts(folder))
    for number, name in enumerate(found):
        if progress is not None:
            progress(number, len(found))
        raw, why = _bytes(folder / name)
        if raw is None:
            skipped[name] = why
            continue
        known = old.get(name)
        digest = hashlib.sha256(raw).hexdigest()
        if known is not None and known[0].sha256 == digest:
            files[name], vectors = known
        else:
            made = _embedded(lm, raw.decode("utf-8"), digest, len(raw))
            if made is None:
                skipped[name] = "the model does not know its characters, or it is empty"
                continue
            files[name], vectors = made
            read += 1
        rows.append(vectors)
    if progress is not None:
        progress(len(found), len(found))
    if not files:
        raise DataError("holds no texts.", where=str(folder), fix=_why(skipped))
    embeddings = np.concatenate(rows)
    removed = len(old.keys() - files.keys())
    report = Indexed(len(files), len(embeddings), read, removed, skipped, note)
    if read or removed:
        write_index(folder / PLACE, lm.checkpoint, files, embeddings)
    return Folder(folder, files, embeddings, report)


def search(lm: LM, folder: Folder, query: str, *, top: int = 5) -> list[Hit]:
    """The `top` passages of an indexed folder that are nearest to a query."""
    if top < 1:
        raise UsageError(f"top must be at least 1, not {top}.")
    readable(lm.tokenizer, checked(query, "the query"))
    (meant,) = lm.embed([query])
    scores = folder.embeddings @ meant
    places = [(name, piece) for name, file in folder.files.items() for piece in file.pieces]
    hits = []
    for row in np.argsort(-scores, kind="stable")[:top].tolist():
        name, piece = places[row]
        text = (folder.path / name).read_text(encoding="utf-8")[piece.start : piece.stop]
        hits.append(Hit(name, piece.line, piece.start, piece.stop, float(scores[row]), text))
    return hits


def _texts(folder: Path) -> Iterator[str]:
    """The names of all files below a folder but hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield (Path(place) / name).relative_to(folder).as_posix()


def _bytes(path: Path) -> tuple[bytes | None, str]:
    """The bytes of a text file, or why it is none."""
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            return None, f"it has {size} bytes, over the limit of {_MOST_BYTES}"
        raw = path.read_bytes()
        raw.decode("utf-8")
    except OSError as fault:
        return None, f"it cannot be read: {fault.strerror}"
    except UnicodeDecodeError:
        return None, "it is not UTF-8"
    return (None, "it is binary") if b"\0" in raw else (raw, "")


def _embedded(lm: LM, text: str, digest: str, size: int) -> tuple[File, Embeddings] | None:
    """The pieces of a text and their embeddings; None where there is nothing to be read."""
    try:
        readable(lm.tokenizer, text)
    except RequestError:
        return None
    limit = reading_length(lm.checkpoint)
    spans = pieces(lm.tokenizer, text, min(PIECE_TOKENS, limit - 2) if limit else PIECE_TOKENS)
    if not spans:
        return None
    made, line, at = [], 1, 0
    for span in spans:
        line += text.count("\n", at, span.start)
        at = span.start
        made.append(Piece(span.start, span.end, line))
    texts = [span.of(text) for span in spans]
    vectors = [
        lm.embed(texts[start : start + _AT_ONCE], truncate="right")
        for start in range(0, len(texts), _AT_ONCE)
    ]
    return File(digest, size, tuple(made)), np.concatenate(vectors)


def _why(skipped: Mapping[str, str]) -> str:
    few = [f"{name}: {why}" for name, why in list(skipped.items())[:3]]
    return f"Left out: {'; '.join(few)}." if few else ""


def summary(report: Indexed) -> str:
    """What an indexing did, in words."""
    left = f", {len(report.skipped)} left out" if report.skipped else ""
    gone = f", {report.removed} no longer there" if report.removed else ""
    return (
        f"{report.files} files in {report.pieces} pieces, {report.read} read anew{gone}{left}"
        f"{f'; {report.note}' if report.note else ''}"
    )
