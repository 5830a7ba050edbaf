"""Parts of speech by an averaged perceptron (Collins 2002), for words that are said in two ways.

The weights are a table of features; their names are those of the tagger that comes with a voice.
"""

from collections.abc import Mapping, Sequence

_BEFORE, _BEHIND = ("-START2-", "-START-"), ("-END-", "-END2-")
CLASSES = {"VB": "VERB", "NN": "NOUN", "RB": "ADV", "JJ": "ADJ"}  # by how a tag begins


class Tagger:
    """Tags of the Penn Treebank for the words of a sentence."""

    def __init__(
        self,
        tags: Sequence[str],
        certain: Mapping[str, str],
        known: frozenset[str],
        weights: Mapping[str, Mapping[str, float]],
    ) -> None:
        """`certain` are words of one tag; `known` the words that features name."""
        self._tags, self._certain, self._known, self._weights = tags, certain, known, weights

    def tags(self, words: Sequence[str]) -> list[str]:
        """A tag for each word or mark."""
        around = [*_BEFORE, *map(self._seen, words), *_BEHIND]
        made: list[str] = []
        last, before = _BEFORE[1], _BEFORE[0]
        for place, word in enumerate(words):
            tag = self._certain.get(word) or self._likeliest(place, word, around, last, before)
            made.append(tag)
            before, last = last, tag
        return made

    def _likeliest(
        self, place: int, word: str, around: Sequence[str], last: str, before: str
    ) -> str:
        scores: dict[str, float] = {}
        for feature in _features(place, word, around, last, before):
            for tag, weight in self._weights.get(feature, {}).items():
                scores[tag] = scores.get(tag, 0) + weight
        return max(self._tags, key=lambda tag: (scores.get(tag, 0), tag)) if scores else "NN"

    def _seen(self, word: str) -> str:
        """A word as features name it: rare ones by their shape."""
        if "-" in word and not word.startswith("-"):
            named = "!HYPHEN"
        elif word.isdigit() and len(word) == 4:
            named = "!YEAR"
        elif word[0].isdigit():
            named = "!DIGITS"
        else:
            named = word.lower()
        return named if named in self._known else f"<{_shape(word)}>"


def _features(
    place: int, word: str, around: Sequence[str], last: str, before: str
) -> tuple[str, ...]:
    behind2, behind, here, ahead, ahead2 = around[place : place + 5]
    return (
        "b", f"s3={word[-3:]}", f"p1={word[0]}", f"w={here}", f"sh={_shape(word)}",
        "i+" if place else "i0", f"t-1={last}", f"t-2={before}", f"t-12={last},{before}",
        f"w-1={behind}", f"s3-1={behind[-3:]}", f"w-2={behind2}", f"w+1={ahead}",
        f"s3+1={ahead[-3:]}", f"w+2={ahead2}",
    )  # fmt: skip


def _shape(word: str) -> str:
    if word.isdigit():
        return "d"
    if not word.isalpha():
        return "".join("d" if c.isdigit() else "x" if c.isalpha() else c for c in word[:4])
    if word.islower():
        return "x"
    if word.isupper():
        return "XX" if len(word) > 1 else "X1"
    return "Xx" if word[0].isupper() and word[1:].islower() else "xX"
