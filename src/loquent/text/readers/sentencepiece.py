"""SentencePiece models (Kudo and Richardson 2018), Unigram (Kudo 2018) and BPE."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers

from loquent.errors import CheckpointError
from loquent.text.documents import read_bytes
from loquent.text.guard import guarded
from loquent.text.merges import by_score, merges_of
from loquent.text.readers.charsmap import check_charsmap
from loquent.text.readers.draft import Draft
from loquent.text.wire import as_float, as_text, fields

SPACE = "▁"
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
LIMIT_BYTES = 32 * 2**20
_PIECE_BYTES = 512
_ALL_BYTES = 8 * 2**20
_MODELS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


@dataclass
class SentencePiece:
    """What a SentencePiece model says, with the defaults of its format."""

    where: str
    pieces: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    model: str = "unigram"
    byte_fallback: bool = False
    space_at_end: bool = False
    charsmap: bytes = b""
    dummy_prefix: bool = True
    trim: bool = True
    escape: bool = True

    def ids(self, *kinds: int) -> Iterator[int]:
        """The ids of pieces of these kinds."""
        return (id for id, kind in enumerate(self.kinds) if kind in kinds)


def read(path: Path) -> Draft:
    """Read a `tokenizer.model`; raises CheckpointError with the byte at which it is damaged."""
    return draft(parse(read_bytes(path, LIMIT_BYTES), str(path)))


def parse(data: bytes, where: str) -> SentencePiece:
    """What a file of a SentencePiece model says; raises CheckpointError."""
    said = SentencePiece(where)
    for number, value, offset in fields(data, where):
        if number == 1 and isinstance(value, bytes):
            _piece(said, value, offset)
        elif number == 2 and isinstance(value, bytes):
            trainer = {key: inner for key, inner, _ in fields(value, where, offset)}
            kind = trainer.get(3, 1)
            said.model = _MODELS.get(kind, str(kind)) if isinstance(kind, int) else "?"
            said.space_at_end = bool(trainer.get(24, 0))
            said.byte_fallback = bool(trainer.get(35, 0))
        elif number == 3 and isinstance(value, bytes):
            rules = {key: inner for key, inner, _ in fields(value, where, offset)}
            said.charsmap = check_charsmap(rules.get(2, b""), where)
            said.dummy_prefix = bool(rules.get(3, 1))
            said.trim = bool(rules.get(4, 1))
            said.escape = bool(rules.get(5, 1))
    check(said)
    return said


def _piece(said: SentencePiece, message: bytes, offset: int) -> None:
    text, score, kind = "", 0.0, NORMAL
    for number, value, _ in fields(message, said.where, offset):
        if number == 1:
            text = as_text(value, said.where)
        elif number == 2:
            score = as_float(value, said.where)
        elif number == 3 and isinstance(value, int):
            kind = value
    said.pieces.append(text)
    said.scores.append(score)
    said.kinds.append(kind)


def check(said: SentencePiece) -> None:
    """Raise CheckpointError where a model cannot be executed as it was meant."""
    seen: set[str] = set()
    for id, piece in enumerate(said.pieces):
        if not piece or len(piece.encode()) > _PIECE_BYTES or piece in seen:
            fault = "there twice" if piece in seen else "empty or too long"
            raise CheckpointError(f"piece {id}, {piece[:40]!r}, is {fault}.", where=said.where)
        seen.add(piece)
    missing = [f"<0x{byte:02X}>" for byte in range(256) if f"<0x{byte:02X}>" not in seen]
    rules = (
        (bool(said.pieces), "has no pieces."),
        (sum(map(len, said.pieces)) <= _ALL_BYTES, f"has over {_ALL_BYTES} characters of pieces."),
        (
            all(map(isfinite, said.scores)),
            "a score is no number.",
        ),
        (said.model in ("unigram", "bpe"), f"model type {said.model!r} is not executed here."),
        (not said.space_at_end, "whitespace at the end of words is not executed here."),
        (said.escape, "spaces that are not written as '▁' are not executed here."),
        (not said.byte_fallback or not missing, f"byte piece {missing[:1]} is missing."),
        (
            said.model != "unigram" or sum(1 for _ in said.ids(UNKNOWN)) == 1,
            "has no unknown piece.",
        ),
        (
            said.model != "unigram" or next(said.ids(UNUSED), None) is None,
            "unused pieces of a Unigram model are not executed here.",
        ),
    )
    for holds, what in rules:
        if not holds:
            raise CheckpointError(what, where=said.where)


def draft(said: SentencePiece, *, everywhere: bool = False) -> Draft:
    """The tokenizer that does what the model says.

    With `everywhere` the space in front of a text also stands after every special token in it.
    """
    unknown = next((said.pieces[id] for id in said.ids(UNKNOWN)), None)
    # A user's symbols are looked for in the normalized text, or, as llama.cpp does, before.
    symbols = [] if everywhere or said.model == "unigram" else list(said.ids(USER))
    with guarded(said.where, "building the tokenizer"):
        library = tokenizers.Tokenizer(_model(said, unknown))
        pipeline(library, said, [said.pieces[id] for id in symbols])
        library.add_tokens(
            [
                AddedToken(said.pieces[id], normalized=id in symbols, special=kind != USER)
                for id, kind in enumerate(said.kinds)
                if kind in (UNKNOWN, CONTROL) or (kind == USER and said.model == "bpe")
            ]
        )
    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    names = {name: piece for name, piece in named.items() if piece in said.pieces}
    if unknown is not None:
        names["unk_token"] = unknown
    adds = (said.model == "bpe", said.model == "unigram")
    return Draft(library, said.where, names, adds, len(said.pieces))


def _model(said: SentencePiece, unknown: str | None) -> models.Model:
    if said.model == "bpe":
        # Only these are made by merging: a user's symbols are found before, others never occur.
        pieces = by_score(said.pieces, said.scores, said.ids(NORMAL))
        return models.BPE(
            vocab={piece: id for id, piece in enumerate(said.pieces)},
            merges=merges_of(pieces, set(pieces)),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=said.byte_fallback,
        )
    return models.Unigram(scored(said), next(said.ids(UNKNOWN)), said.byte_fallback)


def scored(said: SentencePiece) -> list[tuple[str, float]]:
    """The pieces of a Unigram model with the scores by which they are chosen.

    A user's symbol is better than anything that could be put in its place (unigram_model.cc).
    """
    best = max([0.0, *(said.scores[id] for id in said.ids(NORMAL))])
    return [
        (piece, len(piece.encode()) * best - 0.1 if kind == USER else score)
        for piece, score, kind in zip(said.pieces, said.scores, said.kinds, strict=True)
    ]


def pipeline(library: tokenizers.Tokenizer, said: SentencePiece, symbols: list[str]) -> None:
    """Normalize and decode as SentencePiece does (normalizer.cc).

    The library also normalizes the symbols that it is to find, so these get no space in front;
    neither does a text that is nothing but one symbol, which is the one text that differs.
    """
    steps: list[normalizers.Normalizer] = []
    if said.charsmap:
        steps.append(normalizers.Precompiled(said.charsmap))
    if said.trim:
        steps.append(normalizers.Replace(Regex(rf"\A +|[ {SPACE}]+\z"), ""))
        steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    if said.dummy_prefix and symbols:
        either = "|".join(map(re.escape, symbols))
        steps.append(normalizers.Replace(Regex(rf"\A(?!(?:{either})\z)(?=[\s\S])"), SPACE))
    elif said.dummy_prefix:
        steps.append(normalizers.Prepend(SPACE))
    steps.append(normalizers.Replace(" ", SPACE))
    library.normalizer = normalizers.Sequence(steps)
    ends = [decoders.Strip(" ", 1, 0)] if said.dummy_prefix else []
    fallback = [decoders.ByteFallback()] if said.byte_fallback else []
    library.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), *fallback, decoders.Fuse(), *ends]
    )
