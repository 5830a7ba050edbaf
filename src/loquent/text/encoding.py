"""A text or a pair of texts as an encoder reads them: framed ids that know where they come from."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import tokenizers

    from loquent.text.tokenizer import Tokenizer

Truncate = Literal["left", "right"]
Texts = str | tuple[str, str]


class Place(NamedTuple):
    """The characters that a token stands for."""

    text: int  # 0, or 1 for the second of a pair
    start: int  # number of its first character
    stop: int  # and of the one behind its last


@dataclass(frozen=True)
class Encoding:
    """The ids of a text or a pair, with the special tokens that a network expects around them."""

    ids: list[int]
    segments: list[int]  # which text each belongs to, as the tokenizer says; often all are 0
    locate: Callable[[], list[Place | None]]
    dropped: int = 0  # tokens that `cut` has left out

    @cached_property
    def places(self) -> list[Place | None]:
        """Where each token stands in the text; None for special tokens."""
        return self.locate()

    def cut(self, length: int, side: Truncate) -> "Encoding":
        """At most `length` tokens: those of the longer text go first, from that side of it.

        Special tokens stay; where they alone are too many, so does the rest of them.
        """
        own: tuple[deque[int], deque[int]] = (deque(), deque())
        for index, place in enumerate(self.places):
            if place is not None:
                own[place.text].append(index)
        gone: set[int] = set()
        for _ in range(len(self.ids) - length):
            longest = max(own, key=len)
            if not longest:
                break
            gone.add(longest.popleft() if side == "left" else longest.pop())
        if not gone:
            return self
        kept = [index for index in range(len(self.ids)) if index not in gone]
        places = [self.places[index] for index in kept]
        return Encoding(
            [self.ids[index] for index in kept],
            [self.segments[index] for index in kept],
            lambda: places,
            self.dropped + len(gone),
        )


def encoded(
    tokenizer: "Tokenizer", texts: Sequence[Texts], *, parse_special: bool = False
) -> list[Encoding]:
    """Each text or pair with the special tokens that an encoder expects around it.

    A tokenizer that encloses texts on both sides does it; others get begin and end, and end again
    behind the second of two texts. With `parse_special` the name of a special token inside a text
    becomes that token. Raises RequestError where a text holds half a surrogate pair.
    """

    def encloses(text: Texts) -> bool:
        return tokenizer.encloses[not isinstance(text, str)]

    whole = [text for text in texts if encloses(text)]
    parts = [part for text in texts if not encloses(text) for part in _parts(text)]
    enclosed = iter(tokenizer.encodings(whole, parse_special=parse_special))
    bare = iter(tokenizer.encodings(parts, special=False, parse_special=parse_special))
    return [
        _enclosed(next(enclosed))
        if encloses(text)
        else _joined(tokenizer, [next(bare) for _ in _parts(text)])
        for text in texts
    ]


def _parts(text: Texts) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def _enclosed(made: "tokenizers.Encoding") -> Encoding:
    def locate() -> list[Place | None]:
        return [
            None if text is None else Place(text, *span)
            for text, span in zip(made.sequence_ids, made.offsets, strict=True)
        ]

    return Encoding(made.ids, made.type_ids, locate)


def _joined(tokenizer: "Tokenizer", parts: "Sequence[tokenizers.Encoding]") -> Encoding:
    begin = [] if tokenizer.begin is None else [tokenizer.begin]
    end = [] if tokenizer.end is None else [tokenizer.end]
    ids, segments = list(begin), [0] * len(begin)
    for number, part in enumerate(parts):
        ids += part.ids + end
        segments += [number] * (len(part.ids) + len(end))

    def locate() -> list[Place | None]:
        places: list[Place | None] = [None] * len(begin)
        for number, part in enumerate(parts):
            places += [Place(number, *span) for span in part.offsets] + [None] * len(end)
        return places

    return Encoding(ids, segments, locate)
