"""Sentences of a text by their place or their weight: baselines that need no model."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loquent.text.sentences import sentences

Floats = NDArray[np.float64]

_WORD = re.compile(r"[^\W_]+")
_EAST = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_DAMPING = 0.85  # share of a sentence's weight that comes from those like it
_ALIKE = 0.1  # cosines below this join nothing (Erkan and Radev 2004, §3.2)
_ROUNDS = 200
_STILL = 1e-9  # change of weights at which they are taken as found
_MOST_SENTENCES = 4000  # of which all pairs are compared


def lead(text: str, count: int) -> str:
    """The first `count` sentences."""
    return text_of(text, range(min(count, len(sentences(text)))))


def central(text: str, count: int) -> str:
    """The `count` sentences that most others are like, in their order in the text.

    LexRank (Erkan and Radev 2004, §3.2) with cosines as weights, of which a sentence has none with
    itself. Of a text with over 4,000 sentences the first 4,000 are compared.
    """
    spans = sentences(text)[:_MOST_SENTENCES]
    weights = centrality([each.of(text) for each in spans])
    best = sorted(range(len(spans)), key=lambda place: (-weights[place], place))[:count]
    return text_of(text, sorted(best))


def text_of(text: str, places: Sequence[int]) -> str:
    """Sentences by their numbers, with a space between them where the script has one."""
    spans = sentences(text)
    made = ""
    for place in places:
        sentence = " ".join(spans[place].of(text).split())
        gap = "" if not made or _EAST.match(made[-2:-1] or made[-1]) else " "
        made += gap + sentence
    return made


def centrality(texts: Sequence[str]) -> Floats:
    """How central each of N texts is among them, (N,), together 1."""
    if not texts:
        return np.zeros(0)
    vectors = weighted(texts)
    alike = vectors @ vectors.T
    alike[alike < _ALIKE] = 0.0
    np.fill_diagonal(alike, 0.0)  # else one that is like no other would keep its weight
    total = alike.sum(axis=1, keepdims=True)
    steps = np.where(total > 0, alike / np.maximum(total, 1e-12), 1 / len(texts))
    weights = np.full(len(texts), 1 / len(texts))
    for _ in range(_ROUNDS):
        moved = (1 - _DAMPING) / len(texts) + _DAMPING * (weights @ steps)
        if np.abs(moved - weights).max() < _STILL:
            break
        weights = moved
    return weights


def weighted(texts: Sequence[str]) -> Floats:
    """Words of N texts as vectors (N, V) of unit length: counts times rarity (tf-idf)."""
    counts = [Counter(words(each)) for each in texts]
    frequency = Counter(word for each in counts for word in each)
    places = {word: place for place, word in enumerate(frequency)}
    made = np.zeros((len(texts), len(places)))
    for row, each in enumerate(counts):
        for word, times in each.items():
            made[row, places[word]] = times * (math.log(len(texts) / frequency[word]) + 1)
    lengths = np.sqrt(np.square(made).sum(axis=1, keepdims=True))
    divided: Floats = made / np.maximum(lengths, 1e-12)
    return divided


def words(text: str) -> list[str]:
    """The words of a text in lower case; of East Asian scripts pairs of neighboring characters."""
    made = []
    for word in _WORD.findall(text.lower()):
        if _EAST.search(word):
            made += [word[at : at + 2] for at in range(max(len(word) - 1, 1))]
        else:
            made.append(word)
    return made


def relevant(question: str, texts: Sequence[str]) -> list[int]:
    """The numbers of texts, those first that share the most and rarest words with a question."""
    vectors = weighted([*texts, question])
    scores = vectors[:-1] @ vectors[-1]
    return sorted(range(len(texts)), key=lambda place: (-scores[place], place))
