"""Hidden words of a text: by a model that was trained to fill them in, or by one that writes.

A model that writes is given what stands before the hidden word, and its likeliest next words are
weighed by how likely they make the rest of the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from loquent.errors import RequestError, UsageError
from loquent.lm.lm import LM
from loquent.lm.reading import Reading, does
from loquent.tasks.fitting import checked, readable
from loquent.text.encoding import Truncate
from loquent.text.tokenizer import MASKS

How = Literal["masked", "likelihood"]

TOP = 5
MARK = re.compile("|".join(map(re.escape, MASKS)))
_WEIGHED = 40  # next words of which the likelihood of the whole text is asked


@dataclass(frozen=True)
class Candidate:
    """A word that may have been hidden."""

    word: str
    probability: float  # among all tokens; of a model that writes, among the words that it weighed


@dataclass(frozen=True)
class Filled:
    """A text with its hidden words filled in, and what else they may have been."""

    text: str  # with the likeliest word in each place
    candidates: tuple[tuple[Candidate, ...], ...]  # of each hidden word, the likeliest first
    how: How
    dropped_tokens: int = 0

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "text": self.text,
            "candidates": [
                [{"word": each.word, "probability": round(each.probability, 6)} for each in place]
                for place in self.candidates
            ],
            "how": self.how,
            "dropped_tokens": self.dropped_tokens,
        }


def fill(
    lm: LM, texts: Sequence[str], *, top: int = TOP, truncate: Truncate | None = None
) -> list[Filled]:
    """The `top` likeliest words in each place of a text that is marked `<mask>` or `[MASK]`.

    Raises RequestError for a text without a mark, for one with several where the model only writes,
    and for a long one, unless `truncate` says which end to drop.
    """
    if top < 1:
        raise UsageError(f"top must be at least 1, not {top}.")
    for text in texts:
        if not MARK.search(checked(text)):
            raise RequestError(
                "the text has no hidden word.", fix="Mark it: Paris is the <mask> of France."
            )
        readable(lm.tokenizer, MARK.sub("", text))
    config = lm.network.config
    if config.output == "masked":
        return _masked(lm, texts, top, truncate)
    if config.output == "token" and config.encoder is None and config.decoder is not None:
        return [_weighed(lm, text, top) for text in texts]
    raise RequestError(f"this model does not fill in hidden words: it {does(config)}.")


def _masked(lm: LM, texts: Sequence[str], top: int, truncate: Truncate | None) -> list[Filled]:
    mask = lm.tokenizer.mask
    if mask is None:
        raise RequestError("the model's tokenizer has no token for a hidden word.")
    marked = [MARK.sub(lm.tokenizer.piece(mask), text) for text in texts]
    readings = lm.read(marked, hidden_only=True, truncate=truncate)
    return [_filled(lm, text, top, each) for text, each in zip(texts, readings, strict=True)]


def _filled(lm: LM, text: str, top: int, reading: Reading) -> Filled:
    places = tuple(tuple(_best(lm, row, top)) for row in reading.values.astype(np.float64))
    count = len(MARK.findall(text))
    if len(places) != count:
        raise RequestError(
            f"{count - len(places)} of {count} hidden words are in the part that was dropped."
        )
    words = iter(place[0].word for place in places)
    return Filled(_put(text, words), places, "masked", reading.dropped_tokens)


def _best(lm: LM, logits: "np.ndarray[Any, np.dtype[np.float64]]", top: int) -> Iterator[Candidate]:
    """The likeliest tokens but special ones."""
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    given = 0
    for id in np.argsort(-chances, kind="stable").tolist():
        if not lm.tokenizer.is_special(id):
            yield Candidate(_word(lm, id), float(chances[id]))
            given += 1
        if given == top:
            return


def _word(lm: LM, id: int) -> str:
    """A token as it stands in a text; the piece of a word keeps the marks that say so."""
    piece = lm.tokenizer.piece(id)
    if piece.startswith("##"):
        return piece
    return lm.tokenizer.decode([id]).strip() or piece


def _put(text: str, words: Iterator[str]) -> str:
    return MARK.sub(lambda _: next(words).removeprefix("##"), text)


def _weighed(lm: LM, text: str, top: int) -> Filled:
    """The likeliest next words, weighed by the likelihood of the text with each."""
    parts = MARK.split(text)
    if len(parts) > 2:
        raise RequestError(
            f"the text has {len(parts) - 1} hidden words; this model, which writes, fills in one.",
            fix="Choose a model with the task 'fill'.",
        )
    before, after = parts
    words = _next_words(lm, before)
    if not words:
        raise RequestError("the model knows no word that could stand there.")
    scores = np.array(
        [
            each.logprob
            for each in lm.score([(before.rstrip() and before, word + after) for word in words])
        ]
    )
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    order = np.argsort(-chances, kind="stable")[:top].tolist()
    found = tuple(Candidate(words[place], float(chances[place])) for place in order)
    return Filled(_put(text, iter([found[0].word])), (found,), "likelihood")


def _next_words(lm: LM, before: str) -> list[str]:
    """The likeliest words behind a text that are one token each."""
    spaced = before.endswith(" ") or not before
    ids = lm.tokenizer.encode(before.rstrip())
    if not ids:
        start = lm.tokenizer.begin if lm.tokenizer.begin is not None else lm.tokenizer.end
        ids = [start] if start is not None else []
    if not ids:
        raise RequestError("the model has no token that a text could begin with.")
    logits = lm.logits([ids])[0, -1]
    words: list[str] = []
    for id in np.argsort(-logits, kind="stable").tolist():
        piece = lm.tokenizer.decode([id])
        word = piece.strip()
        begins = piece != word or not before or not spaced
        if word and begins and word not in words and any(each.isalnum() for each in word):
            words.append(word)
        if len(words) == _WEIGHED:
            break
    return words
