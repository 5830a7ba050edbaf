"""Learn a tokenizer from texts, and measure how well one fits them."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import tokenizers

from loquent.errors import ConfigError, nearest
from loquent.text.corpus import Corpus, Progress, repeatable, survey
from loquent.text.guard import guarded
from loquent.text.kinds import BEGIN, END, KINDS, PAD, UNKNOWN, Kind, Lesson
from loquent.text.readers.assemble import finish
from loquent.text.readers.draft import Draft
from loquent.text.tokenizer import Tokenizer

KindName = Literal["bpe", "unigram", "wordpiece", "byte", "char"]
LARGEST = 2**20  # pieces of a vocabulary
_RAREST = 10  # pieces that a report names
_BATCH = 256  # texts encoded at a time
_NAMES = {"pad_token": PAD, "bos_token": BEGIN, "eos_token": END, "unk_token": UNKNOWN}


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How a tokenizer spells texts, without what it puts around them."""

    texts: int
    characters: int
    bytes: int  # in UTF-8
    tokens: int
    unknown_characters: int  # of those that no piece spells
    unknown_tokens: int

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text for each token; 0 without tokens."""
        return self.bytes / self.tokens if self.tokens else 0.0

    @property
    def characters_per_token(self) -> float:
        """Characters of text for each token; 0 without tokens."""
        return self.characters / self.tokens if self.tokens else 0.0

    @property
    def known_characters(self) -> float:
        """The share of characters that pieces spell, from 0 to 1."""
        return 1 - self.unknown_characters / self.characters if self.characters else 1.0

    @property
    def known_tokens(self) -> float:
        """The share of tokens that are not the unknown one, from 0 to 1."""
        return 1 - self.unknown_tokens / self.tokens if self.tokens else 1.0


@dataclass(frozen=True, kw_only=True)
class LearnedReport:
    """What came of learning a tokenizer."""

    kind: str
    size: int  # that was asked for
    vocabulary: int  # ids; fewer than asked for where the data gives no more pieces
    texts: int  # lines of them
    characters: int  # of all texts
    alphabet: int  # different characters in them, all of which a vocabulary of characters has
    held_out: bool  # `coverage` is that of texts that were not learned from
    coverage: Coverage
    unseen_characters: int  # of the held-out texts, in no other text: what new texts may lack
    rarest: tuple[tuple[str, int], ...]  # learned pieces and how often the learned texts use them
    unused: int  # learned pieces that these texts never use
    seconds: float


def learn(
    texts: Iterable[str],
    kind: KindName = "bpe",
    size: int = 8000,
    *,
    special: Sequence[str] = (),
    lowercase: bool = False,
    begin: bool = True,
    progress: Progress | None = None,
) -> tuple[Tokenizer, LearnedReport]:
    """Learn a tokenizer with a vocabulary of `size`, and report on every 20th line, held out.

    The texts are read twice (an iterator by way of a temporary file) and never held in memory as a
    whole; a text that ends in a line break goes on in the next one. Every kind has `<pad>`, `<s>`,
    `</s>` and `<mask>` at the first ids, then those of `special`; all but the byte-level kinds have
    `<unk>`. With `begin`, `encode` puts `<s>` in front. The same texts give the same tokenizer.
    "byte" and "char" have the bytes, or the characters seen, whatever `size` is beyond them.

    Raises ConfigError for a size that cannot be, with the smallest that can, and DataError for
    texts that are none.
    """
    start = time.perf_counter()
    row = _row(kind)
    names = _special(row, special)
    blank = row.assembled(row.empty(), (), lowercase)
    normalizer = blank.normalizer
    with repeatable(texts) as again:
        corpus = survey(
            again,
            normalizer.normalize_str if normalizer is not None else str,
            progress or (lambda _done, _total: None),
        )
        needed = row.needed(corpus.alphabet)
        _check_size(kind, size, len(names) + len(needed), corpus)
        model = row.learn(Lesson(names, needed, size, corpus.training, blank))
    library = row.assembled(model, names, lowercase)
    named = {name: piece for name, piece in _NAMES.items() if piece in names}
    tokenizer = finish(Draft(library, "tokenizer", named, adds=(begin, False)))
    return tokenizer, _report(
        tokenizer, corpus, {*names, *needed}, kind=kind, size=size, start=start
    )


def coverage(tokenizer: Tokenizer, texts: Iterable[str]) -> Coverage:
    """Measure how a tokenizer spells texts, without what it puts around them."""
    return _measured(tokenizer, texts)[0]


def _row(kind: str) -> Kind:
    if kind not in KINDS:
        raise ConfigError(f"there is no kind {kind!r} of tokenizers.", fix=nearest(kind, KINDS))
    return KINDS[kind]


def _special(row: Kind, further: Sequence[str]) -> list[str]:
    for piece in further:
        if not piece or piece != piece.strip() or len(piece) > 64 or not piece.isprintable():
            raise ConfigError(
                f"{piece[:80]!r} cannot be a special token.",
                fix="Give up to 64 characters that can be seen, such as '<|user|>'.",
            )
        if row.may_learn(piece):
            raise ConfigError(
                f"special token {piece!r} may also be a word of a text.",
                fix=f"Put signs around it, such as '<|{piece}|>'.",
            )
    return row.special(further)


def _check_size(kind: str, size: int, smallest: int, corpus: Corpus) -> None:
    if size > LARGEST:
        raise ConfigError(f"size: must be at most {LARGEST}, not {size}.")
    if size < smallest:
        holds = "" if kind in ("bpe", "byte") else f" for {len(corpus.alphabet)} characters"
        raise ConfigError(
            f"size: {size} is too small for kind {kind!r}.",
            fix=f"The smallest possible{holds} is {smallest}.",
        )


def _report(
    tokenizer: Tokenizer, corpus: Corpus, given: set[str], *, kind: str, size: int, start: float
) -> LearnedReport:
    learned, uses = _measured(tokenizer, corpus.sample)
    found = _measured(tokenizer, corpus.held_out)[0] if corpus.held_out else learned
    pieces = tokenizer.pieces(range(tokenizer.vocabulary))
    ids = [id for id, piece in enumerate(pieces) if piece not in given]
    if not ids:  # nothing was learned but the characters themselves
        ids = [id for id in range(tokenizer.vocabulary) if not tokenizer.is_special(id)]
    rarest = sorted(ids, key=lambda each: (uses[each], each))
    return LearnedReport(
        kind=kind,
        size=size,
        vocabulary=tokenizer.vocabulary,
        texts=corpus.count,
        characters=corpus.characters,
        alphabet=len(corpus.alphabet),
        held_out=bool(corpus.held_out),
        coverage=found,
        unseen_characters=corpus.unseen,
        rarest=tuple((pieces[id], uses[id]) for id in rarest[:_RAREST]),
        unused=sum(uses[id] == 0 for id in ids),
        seconds=time.perf_counter() - start,
    )


def _measured(tokenizer: Tokenizer, texts: Iterable[str]) -> tuple[Coverage, Counter[int]]:
    """The coverage, and how often each id was used."""
    with guarded(tokenizer.where, "copying"):
        library = tokenizers.Tokenizer.from_str(tokenizer.document())
    seen = characters = bytes = unknown = 0
    uses: Counter[int] = Counter()
    for batch in _batches(texts):
        with guarded(tokenizer.where, "encoding"):
            encodings = library.encode_batch(batch, add_special_tokens=False)
        seen += len(batch)
        characters += sum(map(len, batch))
        bytes += sum(len(text.encode("utf-8")) for text in batch)
        for encoding in encodings:
            uses.update(encoding.ids)
            if tokenizer.unknown in encoding.ids:
                unknown += sum(
                    end - start
                    for id, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
                    if id == tokenizer.unknown
                )
    return Coverage(
        texts=seen,
        characters=characters,
        bytes=bytes,
        tokens=uses.total(),
        unknown_characters=unknown,
        unknown_tokens=uses[tokenizer.unknown] if tokenizer.unknown is not None else 0,
    ), uses


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while batch := list(islice(rest, _BATCH)):
        yield batch
