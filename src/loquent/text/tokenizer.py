"""Text to ids and ids to text, for every tokenizer that the `tokenizers` library can execute."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import tokenizers

from loquent.errors import RequestError
from loquent.text.guard import guarded
from loquent.text.pieces import Pieces
from loquent.text.stream import TokenStream, joined

if TYPE_CHECKING:
    from loquent.text.template import ChatTemplate

MASKS = ("<mask>", "[MASK]")  # what RoBERTa and BERT call a hidden token

# Pieces that end an answer in public chat formats, beside the end token that a model names.
END_PIECES = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<turn|>",
    "<end_of_utterance>",
    "<eos>",
    "<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>",
)


class Tokenizer:
    """A vocabulary with its rules, from text to ids and back."""

    vocabulary: int  # ids are below it
    begin: int | None
    end: int | None
    pad: int | None
    unknown: int | None
    ends: frozenset[int]  # every id that ends an answer
    adds_begin: bool  # `encode` puts `begin` in front
    template: "ChatTemplate | None"

    def __init__(
        self,
        library: tokenizers.Tokenizer,
        *,
        begin: int | None = None,
        end: int | None = None,
        pad: int | None = None,
        unknown: int | None = None,
        ends: Iterable[int] = (),
        vocabulary: int | None = None,
        template: "ChatTemplate | None" = None,
        where: str = "tokenizer",
    ) -> None:
        """Wrap a tokenizer of the library; `where` names its file in errors."""
        self._library = library
        self._where = where
        self.begin, self.end, self.pad, self.unknown = begin, end, pad, unknown
        self.template = template
        self.vocabulary = vocabulary if vocabulary is not None else _count(library)
        named = {id for id in (self.id(piece) for piece in END_PIECES) if id in self._special}
        if {"<|return|>", "<|call|>"} <= {self.piece(id) for id in named if id is not None}:
            named.discard(self.id("<|end|>"))  # in the harmony format it ends a part of an answer
        self.ends = frozenset(id for id in {*named, end, *ends} if id is not None)
        first = self.encode("", special=True)[:1]
        self.adds_begin = begin is not None and first == [begin]

    def encode(self, text: str, *, special: bool = True, parse_special: bool = True) -> list[int]:
        """The ids of a text.

        With `special` the tokens that the model expects around a text are added, such as a begin
        token; text from a chat template has them already. With `parse_special` the name of a
        special token inside the text becomes that token; without, it is text like any other.
        Raises RequestError where the text holds half a surrogate pair.
        """
        library = self._library if parse_special else self._plain
        if not text.isascii():
            _check_text(text)
        with guarded(self._where, "encoding"):
            ids: list[int] = library.encode(text, add_special_tokens=special).ids
        return ids

    def encodings(
        self,
        texts: Sequence[str | tuple[str, str]],
        *,
        special: bool = True,
        parse_special: bool = False,
    ) -> list[tokenizers.Encoding]:
        """What the library makes of several texts, or pairs of texts, at once; as `encode` else."""
        library = self._library if parse_special else self._plain
        for text in texts:
            for part in (text,) if isinstance(text, str) else text:
                if not part.isascii():
                    _check_text(part)
        with guarded(self._where, "encoding"):
            made: list[tokenizers.Encoding] = library.encode_batch(
                list(texts), add_special_tokens=special
            )
        return made

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of ids; with `special` the names of special tokens are part of it.

        Bytes that are no UTF-8 become U+FFFD. Raises RequestError for an id outside the vocabulary.
        """
        self._check(ids)
        with guarded(self._where, "decoding"):
            text: str = self._library.decode(list(ids), skip_special_tokens=not special)
        # The library replaces all of a run of byte pieces where one is damaged; we keep the good
        # ones, as SentencePiece does, so that a stream need not wait for the run's end.
        if self._pieces.byte_fallback and "\ufffd" in text:
            return joined(self._pieces, self._kept(ids, special))
        return text

    def piece(self, id: int) -> str:
        """The vocabulary's own spelling of an id, such as 'Ġthe' or '▁the'."""
        self._check((id,))
        return self._library.id_to_token(id) or ""

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's own spelling of each id."""
        return [self.piece(id) for id in ids]

    def piece_bytes(self, id: int) -> bytes:
        """What an id adds to a text, as bytes; those of one character may be split over ids."""
        self._check((id,))
        return self._pieces.of(id)

    def id(self, piece: str) -> int | None:
        """The id of a piece in the vocabulary's own spelling, or None."""
        found: int | None = self._library.token_to_id(piece)
        return found

    def is_special(self, id: int) -> bool:
        """Whether an id is a special token, which `decode` leaves out."""
        return id in self._special

    def stream(self, stops: Sequence[str] = (), *, special: bool = False) -> TokenStream:
        """Decode id by id, up to the first of the `stops`."""
        skipped = frozenset() if special else self._special
        return TokenStream(self._pieces, self.vocabulary, skipped, stops)

    def save(self, folder: Path) -> None:
        """Write the files with which `transformers` opens an equal tokenizer."""
        folder.mkdir(parents=True, exist_ok=True)
        with guarded(str(folder / "tokenizer.json"), "saving"):
            self._library.save(str(folder / "tokenizer.json"), pretty=False)
        names = {
            "bos_token": self.begin,
            "eos_token": self.end,
            "pad_token": self.pad,
            "unk_token": self.unknown,
        }
        named = {name: self.piece(id) for name, id in names.items() if id is not None}
        if self.mask is not None:
            named["mask_token"] = self.piece(self.mask)
        config: dict[str, object] = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            "model_max_length": 10**30,
            **named,
        }
        if self.template is not None:
            (folder / "chat_template.jinja").write_text(self.template.source, encoding="utf-8")
        _write_json(folder / "tokenizer_config.json", config)
        _write_json(folder / "special_tokens_map.json", named)

    @property
    def mask(self) -> int | None:
        """The id that stands for a hidden one, or None where the tokenizer has none."""
        found = (self.id(piece) for piece in MASKS)
        return next((id for id in found if id is not None and self.is_special(id)), None)

    @cached_property
    def encloses(self) -> tuple[bool, bool]:
        """Whether the library puts tokens on both sides of a text, and of a pair of texts."""
        one, two = self.encodings(["", ("", "")])
        return len(one.ids) > 1, len(two.ids) > 1

    @property
    def where(self) -> str:
        """The file that it came from, as errors name it."""
        return self._where

    def document(self) -> str:
        """All rules and the vocabulary, as in the library's tokenizer.json."""
        with guarded(self._where, "writing"):
            text: str = self._library.to_str()
        return text

    @cached_property
    def _special(self) -> frozenset[int]:
        added = self._library.get_added_tokens_decoder()
        return frozenset(id for id, token in added.items() if token.special)

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces(self._library, self._where)

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """A copy to which special tokens are ordinary text."""
        with guarded(self._where, "copying"):
            return _without_special(json.loads(self._library.to_str()))

    def _kept(self, ids: Sequence[int], special: bool) -> list[int]:
        return list(ids) if special else [id for id in ids if id not in self._special]

    def _check(self, ids: Sequence[int]) -> None:
        for id in ids:
            if not 0 <= id < self.vocabulary:
                raise RequestError(
                    f"token id {id} is outside the vocabulary.",
                    fix=f"Ids are from 0 to {self.vocabulary - 1}.",
                )


def _count(library: tokenizers.Tokenizer) -> int:
    ids = library.get_vocab(with_added_tokens=True).values()
    return max(ids, default=-1) + 1


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise RequestError(
            f"the text holds half a surrogate pair at character {fault.start + 1}.",
            fix="Decode it as UTF-8 or UTF-16 first.",
        ) from None


def _without_special(document: dict[str, object]) -> tokenizers.Tokenizer:
    model, added = document["model"], document["added_tokens"]
    assert isinstance(model, dict) and isinstance(added, list)
    special = {token["content"] for token in added if token["special"]}
    if model["type"] == "Unigram":
        # A Unigram model would find the names in its vocabulary; no text holds a noncharacter.
        model["vocab"] = [
            (f"\uffff{piece}" if piece in special else piece, score)
            for piece, score in model["vocab"]
        ]
    library = tokenizers.Tokenizer.from_str(json.dumps(document))
    library.encode_special_tokens = True
    return library


def _write_json(path: Path, values: dict[str, object] | dict[str, str]) -> None:
    text = json.dumps(values, ensure_ascii=False, indent=2)
    path.write_text(f"{text}\n", encoding="utf-8")
