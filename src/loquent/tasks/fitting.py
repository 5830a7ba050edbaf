"""Texts that are too long for a model: counted in tokens, cut where asked for, or in pieces."""

from collections.abc import Iterator, Sequence

from loquent.errors import RequestError
from loquent.text.encoding import Truncate
from loquent.text.languages import identify
from loquent.text.sentences import Span, grouped, sentences, shorter
from loquent.text.tokenizer import Tokenizer

_LOOKED_AT = 4000  # characters, by which it is seen whether a tokenizer knows a text


def count(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """How many tokens each text has, special ones left out."""
    return [len(each.ids) for each in tokenizer.encodings(texts, special=False)]


def checked(text: str, what: str = "the text") -> str:
    """A text that is not empty; raises RequestError where there is nothing in it."""
    if not text.strip():
        raise RequestError(f"{what} is empty.", fix="Give some words.")
    return text


def readable(tokenizer: Tokenizer, text: str) -> str:
    """A text that a tokenizer knows; raises RequestError where it knows less than half of it."""
    if tokenizer.unknown is None or text.isascii():
        return text
    ids = tokenizer.encodings([text[:_LOOKED_AT]], special=False)[0].ids
    unknown = ids.count(tokenizer.unknown)
    # a run of unknown characters is often one id, so they are counted by what is left of the text
    known = "".join(tokenizer.decode(ids).split())
    if unknown and len(known) < len("".join(text[:_LOOKED_AT].split())) / 2:
        name = identify(text).name
        language = "" if name == "unknown" else f" It seems to be {name}."
        raise RequestError(
            f"the model does not know most of the characters of this text.{language}",
            fix="Choose a model that was made for this language.",
        )
    return text


def fitted(
    tokenizer: Tokenizer, text: str, most: int, truncate: Truncate | None
) -> tuple[str, int]:
    """A text of at most `most` tokens, and how many were dropped.

    Raises RequestError where it is longer and nobody said which end to drop.
    """
    made = tokenizer.encodings([text], special=False)[0]
    over = len(made.ids) - max(most, 0)
    if over <= 0:
        return text, 0
    if truncate is None:
        raise RequestError(
            f"the text has {len(made.ids)} tokens, but there is room for {max(most, 0)}.",
            fix="Shorten it, or drop its start or end with truncate 'left' or 'right'.",
        )
    if most <= 0:
        return "", len(made.ids)
    if truncate == "left":
        return text[made.offsets[over][0] :], over
    return text[: made.offsets[most - 1][1]], over


def pieces(tokenizer: Tokenizer, text: str, most: int) -> list[Span]:
    """The text in parts of at most `most` tokens that end where sentences do.

    A sentence that is longer by itself is divided between clauses, words, or at last characters.
    """
    parts = list(_short(tokenizer, text, sentences(text), most))
    sizes = count(tokenizer, [each.of(text) for each in parts])
    together = grouped([size + 1 for size in sizes], most + 1)
    return [Span(parts[group[0]].start, parts[group[-1]].end) for group in together]


def _short(tokenizer: Tokenizer, text: str, spans: Sequence[Span], most: int) -> Iterator[Span]:
    sizes = count(tokenizer, [each.of(text) for each in spans])
    for span, size in zip(spans, sizes, strict=True):
        halves = shorter(text, span) if size > most else None
        if halves is None:
            yield span
        else:
            yield from _short(tokenizer, text, halves, most)
