"""The kinds of tokenizers that can be learned: how each cuts, spells and joins a text."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import tokenizers
from tokenizers import (
    AddedToken,
    Regex,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from loquent.text.corpus import Thinned
from loquent.text.guard import guarded
from loquent.text.patterns import CUTS, Cuts, byte_level
from loquent.text.pieces import byte_characters
from loquent.text.unigram import LONGEST, learn_pieces

PAD, BEGIN, END, UNKNOWN, MASK = "<pad>", "<s>", "</s>", "<unk>", "<mask>"
SPACE = "▁"
INSIDE = "##"  # in front of a WordPiece piece that does not begin a word

_FREQUENCY = 2  # what occurs once is no piece
_PIECE_BYTES = 64  # of a BPE, so that rulers of a thousand signs are no pieces
_SEEDS = 4  # Unigram begins with this many times the pieces that it ends with
_UNIGRAM_CHARACTERS = 2**25  # of the texts that a Unigram vocabulary is learned from

# Writing without spaces is cut from what has them; the pieces are found inside.
_RUN = r" ?[\p{Han}\p{Hiragana}\p{Katakana}ー]+"
# WordPiece, as for BERT: signs and Han characters are words of their own.
_ALONE = r"[\p{P}\p{S}\p{Han}]"
_LONG = r"[\s\S]{64}"  # a longer word is several, as some scripts write no spaces


@dataclass(frozen=True)
class Lesson:
    """What a vocabulary is learned from."""

    special: list[str]  # pieces with the first ids
    needed: list[str]  # pieces with which every text of the data can be spelled
    size: int
    texts: Callable[[], Iterator[str]]
    library: tokenizers.Tokenizer  # cuts texts as the finished tokenizer does; its model is empty

    def train(self, trainer: trainers.Trainer) -> tokenizers.Tokenizer:
        """Train with the library's own trainer."""
        with guarded("tokenizer", "training"):
            self.library.train_from_iterator(self.texts(), trainer)
        return self.library


@dataclass(frozen=True)
class Kind:
    """One row of KINDS."""

    empty: Callable[[], models.Model]
    learn: Callable[[Lesson], models.Model]
    needed: Callable[[frozenset[str]], list[str]]  # of the characters of the data
    cut: Callable[[], pre_tokenizers.PreTokenizer | None]
    decoder: Callable[[], decoders.Decoder]
    unknown: bool  # a text may hold what no piece spells

    def special(self, further: Sequence[str]) -> list[str]:
        """The special tokens in the order of their ids."""
        own = [PAD, BEGIN, END, *([UNKNOWN] if self.unknown else []), MASK]
        return list(dict.fromkeys([*own, *further]))

    def may_learn(self, piece: str) -> bool:
        """Whether a learned piece, or a character, may be spelled like this."""
        if len(piece) == 1 or piece.startswith(INSIDE):
            return True
        cut = self.cut()
        return self.learn is not _fixed and cut is not None and len(cut.pre_tokenize_str(piece)) < 2

    def assembled(
        self, model: models.Model, special: Sequence[str], lowercase: bool
    ) -> tokenizers.Tokenizer:
        """A tokenizer of the library with all parts of this kind around a model."""
        library = tokenizers.Tokenizer(model)
        if lowercase:
            library.normalizer = normalizers.Lowercase()
        cut = self.cut()
        if cut is not None:
            library.pre_tokenizer = cut
        library.decoder = self.decoder()
        library.add_special_tokens(
            [AddedToken(piece, special=True, normalized=False) for piece in special]
        )
        return library


def _byte_pieces(_: frozenset[str]) -> list[str]:
    spelling = {byte: character for character, byte in byte_characters().items()}
    return [spelling[byte] for byte in range(256)]


def _spaced_pieces(alphabet: frozenset[str]) -> list[str]:
    """The characters, with the sign that stands for a space, and a line break."""
    return sorted({character.replace(" ", SPACE) for character in alphabet} | {SPACE, "\n"})


def _word_pieces(alphabet: frozenset[str]) -> list[str]:
    """The characters, also inside a word where they may stand there."""
    rest = pre_tokenizers.Split(Regex(_ALONE), behavior="removed").pre_tokenize_str(
        "".join(sorted(alphabet | {" ", "\n"}))
    )
    inside = {character for text, _ in rest for character in text}
    return [
        *(INSIDE + character for character in _spaced_pieces(frozenset(inside))),
        *_spaced_pieces(alphabet),
    ]


def _characters(alphabet: frozenset[str]) -> list[str]:
    return sorted(alphabet | {"\n"})


def _fixed(lesson: Lesson) -> models.Model:
    """No piece but those that are needed."""
    pieces = [*lesson.special, *lesson.needed]
    unknown = UNKNOWN if UNKNOWN in lesson.special else None
    vocab = {piece: id for id, piece in enumerate(pieces)}
    return models.BPE(vocab=vocab, merges=[], unk_token=unknown)


def _bpe(lesson: Lesson) -> models.Model:
    trainer = trainers.BpeTrainer(
        vocab_size=lesson.size,
        min_frequency=_FREQUENCY,
        special_tokens=lesson.special,
        initial_alphabet=lesson.needed,
        max_token_length=_PIECE_BYTES,
        show_progress=False,
    )
    made: models.Model = lesson.train(trainer).model
    return made


def _wordpiece(lesson: Lesson) -> models.Model:
    # The trainer gives pieces inside words the order of a hash table, and breaks ties by it;
    # as special tokens they have ids before it begins.
    inside = [piece for piece in lesson.needed if len(piece) > 1]
    trainer = trainers.WordPieceTrainer(
        vocab_size=lesson.size,
        min_frequency=_FREQUENCY,
        special_tokens=[*lesson.special, *inside],
        initial_alphabet=[piece for piece in lesson.needed if len(piece) == 1],
        continuing_subword_prefix=INSIDE,
        show_progress=False,
    )
    vocab = lesson.train(trainer).get_vocab(with_added_tokens=False)
    return models.WordPiece(vocab=vocab, unk_token=UNKNOWN)


def _unigram(lesson: Lesson) -> models.Model:
    sample = Thinned(_UNIGRAM_CHARACTERS)
    for text in lesson.texts():
        sample.offer(text)
    words = _words(lesson.library, sample.texts)
    scored = learn_pieces(
        words,
        _seeds(lesson, sample.texts),
        lesson.needed,
        lesson.size - len(lesson.special),
    )
    vocab = [*((piece, 0.0) for piece in lesson.special), *scored]
    return models.Unigram(vocab, lesson.special.index(UNKNOWN), False)


def _words(library: tokenizers.Tokenizer, texts: Sequence[str]) -> Mapping[str, int]:
    """How often each word occurs, cut as `library` does."""
    normalizer, cutter = library.normalizer, library.pre_tokenizer
    assert cutter is not None
    words: Counter[str] = Counter()
    for text in texts:
        normal = text if normalizer is None else normalizer.normalize_str(text)
        words.update(word for word, _ in cutter.pre_tokenize_str(normal))
    return words


def _seeds(lesson: Lesson, texts: Sequence[str]) -> list[str]:
    """More pieces than are wanted, found by merging frequent neighbors."""
    library = tokenizers.Tokenizer(models.BPE())
    if lesson.library.normalizer is not None:
        library.normalizer = lesson.library.normalizer
    library.pre_tokenizer = lesson.library.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=_SEEDS * lesson.size,
        min_frequency=_FREQUENCY,
        initial_alphabet=lesson.needed,
        max_token_length=LONGEST,
        show_progress=False,
    )
    with guarded("tokenizer", "training"):
        library.train_from_iterator(iter(texts), trainer)
    return sorted(library.get_vocab())


def _spaced(cuts: Cuts) -> pre_tokenizers.PreTokenizer:
    """Cut a text by each pattern, then write spaces as a sign."""
    steps = [pre_tokenizers.Split(Regex(cut), behavior="isolated") for cut in cuts]
    return pre_tokenizers.Sequence(
        [*steps, pre_tokenizers.Metaspace(SPACE, prepend_scheme="never", split=False)]
    )


def _joined(replaced: Mapping[str, str]) -> decoders.Decoder:
    """Pieces one after the other; what is replaced in each."""
    return decoders.Sequence(
        [*(decoders.Replace(old, new) for old, new in replaced.items()), decoders.Fuse()]
    )


KINDS: dict[str, Kind] = {
    "bpe": Kind(
        empty=models.BPE,
        learn=_bpe,
        needed=_byte_pieces,
        cut=lambda: byte_level(CUTS["o200k"]),
        decoder=decoders.ByteLevel,
        unknown=False,
    ),
    "unigram": Kind(
        empty=models.Unigram,
        learn=_unigram,
        needed=_spaced_pieces,
        cut=lambda: _spaced((_RUN, *CUTS["qwen35"])),
        decoder=lambda: _joined({SPACE: " "}),
        unknown=True,
    ),
    "wordpiece": Kind(
        empty=lambda: models.WordPiece(unk_token=UNKNOWN),
        learn=_wordpiece,
        needed=_word_pieces,
        cut=lambda: _spaced((_ALONE, *CUTS["qwen35"], _LONG)),
        decoder=lambda: _joined({INSIDE: "", SPACE: " "}),
        unknown=True,
    ),
    "byte": Kind(
        empty=models.BPE,
        learn=_fixed,
        needed=_byte_pieces,
        cut=lambda: byte_level(()),
        decoder=decoders.ByteLevel,
        unknown=False,
    ),
    "char": Kind(
        empty=models.BPE,
        learn=_fixed,
        needed=_characters,
        cut=lambda: None,
        decoder=lambda: _joined({" ": " "}),  # a stream knows it as a decoder of texts in a row
        unknown=True,
    ),
}
