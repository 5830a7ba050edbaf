"""Marian's two SentencePiece models, whose pieces have the ids of a `vocab.json` (opus-mt).

A text is cut by the model of its language, `source.spm` or `target.spm`; the ids are those of one
`vocab.json` for both or, with a `target_vocab.json` beside it, of two. A piece of the vocabulary
that a model does not know is never cut out of a text, but written like any other; only where no
character of it is known to the model it is read, as `MarianTokenizer` does. Two things are not as
there: between several unknown characters such a piece is found, too, where all would be one unknown
token; and a piece that the model knows and the vocabulary does not is put together from others.
"""

from collections.abc import Mapping
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, decoders, models

from loquent.errors import CheckpointError
from loquent.text.documents import parse, read_bytes
from loquent.text.guard import guarded
from loquent.text.readers import sentencepiece
from loquent.text.readers.draft import Draft
from loquent.text.readers.fast import MAXIMAL_ID
from loquent.text.readers.sentencepiece import NORMAL, USER, SentencePiece

SOURCE, TARGET = "source.spm", "target.spm"
VOCABULARY, TARGET_VOCABULARY = "vocab.json", "target_vocab.json"

_NAMES = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
_FOREIGN = "\uffff"  # before pieces of the other language: no text holds a noncharacter


def is_folder(folder: Path) -> bool:
    """Whether a folder has the files of such a pair."""
    return all((folder / name).is_file() for name in (SOURCE, TARGET, VOCABULARY))


def read(path: Path) -> Draft:
    """Read a `source.spm` or `target.spm` with the vocabulary beside it; raises CheckpointError."""
    said = sentencepiece.parse(read_bytes(path, sentencepiece.LIMIT_BYTES), str(path))
    if said.model != "unigram" or said.byte_fallback:
        what = f"a {said.model} model whose pieces have other ids is not executed here."
        raise CheckpointError(what, where=str(path), fix="Add its tokenizer.json.")
    own = path.with_name(TARGET_VOCABULARY)
    vocabulary = own if path.name == TARGET and own.is_file() else path.with_name(VOCABULARY)
    ids = parse(read_bytes(vocabulary), dict[str, int], str(vocabulary))
    pieces = _in_order(ids, str(vocabulary))
    known = {
        piece: score
        for (piece, score), kind in zip(sentencepiece.scored(said), said.kinds, strict=True)
        if kind in (NORMAL, USER)
    }
    return Draft(_library(said, ids, pieces, known), str(path), _NAMES, (False, True), len(pieces))


def _in_order(ids: Mapping[str, int], where: str) -> list[str]:
    """The pieces by their ids; raises CheckpointError where two have one or a needed one lacks."""
    if not ids or not 0 <= min(ids.values()) <= max(ids.values()) < MAXIMAL_ID:
        raise CheckpointError(f"an id is not from 0 to {MAXIMAL_ID - 1}.", where=where)
    missing = [piece for piece in _NAMES.values() if piece not in ids]
    if missing:
        raise CheckpointError(f"has no {missing[0]!r}.", where=where)
    by_id = {id: piece for piece, id in ids.items()}
    if len(by_id) < len(ids):
        twice = next(piece for piece, id in ids.items() if by_id[id] != piece)
        raise CheckpointError(f"{twice!r} has the id of another piece.", where=where)
    if len(by_id) <= max(by_id):
        hole = next(id for id in range(len(by_id) + 1) if id not in by_id)
        raise CheckpointError(f"no piece has the id {hole}.", where=where)
    return [by_id[id] for id in range(len(by_id))]


def _library(
    said: SentencePiece, ids: Mapping[str, int], pieces: list[str], known: Mapping[str, float]
) -> tokenizers.Tokenizer:
    lowest = min(known.values(), default=0.0)
    languages = [piece for piece in pieces if piece.startswith(">>") and piece.endswith("<<")]
    named = {*_NAMES.values(), *languages}

    def scored(piece: str) -> tuple[str, float]:
        if piece in known or piece in named:
            return piece, known.get(piece, lowest)
        unknown = not any(character in known for character in piece)
        return (piece, lowest - 1) if unknown else (f"{_FOREIGN}{piece}", lowest)

    scores = list(map(scored, pieces))
    with guarded(said.where, "building the tokenizer"):
        library = tokenizers.Tokenizer(models.Unigram(scores, ids[_NAMES["unk_token"]], False))
        sentencepiece.pipeline(library, said, [])
        replaced = [(_FOREIGN, ""), (sentencepiece.SPACE, " ")]
        steps = [decoders.Replace(old, new) for old, new in replaced]
        library.decoder = decoders.Sequence([*steps, decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        library.add_tokens(
            [AddedToken(piece, normalized=False, special=True) for piece in _NAMES.values()]
        )
        library.add_tokens([AddedToken(piece, normalized=False) for piece in languages])
    return library
