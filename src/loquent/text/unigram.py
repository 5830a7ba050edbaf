"""A Unigram vocabulary: a language model of pieces, pruned to its size (Kudo 2018, §3.2).

The tokenizers library has a trainer, too, but its sums run in the order of a hash table, so that
each run gives other scores and sometimes other pieces. Here the same words give the same pieces.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from math import inf

import numpy as np
from numpy.typing import NDArray

LONGEST = 16  # characters of a piece
_WORD = 24  # longer words are cut: the product of so many probabilities is still a normal float
_CHARACTERS = 2**22  # of all different words in memory; of more, the rarest are left out
_KEPT = 0.75  # share of the pieces that a round of pruning keeps
_STEPS = 2  # of expectation and maximization in each round
_UNSEEN = 0.1  # occurrences of a piece that is kept although the words do not hold it

Floats = NDArray[np.float64]


class Lattices:
    """All spellings of each word with pieces, followed through all words at once."""

    def __init__(self, words: Mapping[str, int], pieces: Collection[str]) -> None:
        """Find every piece in every word; each character of the words must be a piece."""
        parts = _parts(words)
        self._pieces = len(pieces)
        self._counts = np.array([number for _, number in parts], dtype=np.float64)
        self._lengths = np.array([len(word) for word, _ in parts], dtype=np.int64)
        self._longest = max((len(word) for word, _ in parts), default=0)
        ids = {piece: id for id, piece in enumerate(pieces)}
        reach = max(map(len, pieces), default=0)
        found: dict[tuple[int, int], tuple[array[int], array[int]]] = {}
        for row, (word, _) in enumerate(parts):
            for end in range(1, len(word) + 1):
                for start in range(max(0, end - reach), end):
                    id = ids.get(word[start:end])
                    if id is not None:
                        rows, there = found.setdefault((end, start), (array("i"), array("i")))
                        rows.append(row)
                        there.append(id)
        # (end, start): the words that have a piece there, and which; by rising end
        self._edges = [
            (end, start, np.array(rows, dtype=np.int32), np.array(there, dtype=np.int32))
            for (end, start), (rows, there) in sorted(found.items())
        ]

    def expected(self, probability: Floats) -> tuple[Floats, float]:
        """How often each piece occurs in expectation, and the log-likelihood of all words.

        The forward–backward algorithm over the spellings (Baum et al. 1970).
        """
        every = np.arange(len(self._counts))
        forward = np.zeros((self._longest + 1, len(every)))
        forward[0] = 1
        for end, start, rows, ids in self._edges:
            forward[end, rows] += forward[start, rows] * probability[ids]
        whole = forward[self._lengths, every]
        share = self._counts / whole
        backward = np.zeros_like(forward)
        backward[self._lengths, every] = 1
        expected = np.zeros(self._pieces)
        for end, start, rows, ids in reversed(self._edges):
            onward = probability[ids] * backward[end, rows]
            backward[start, rows] += onward
            weights = onward * forward[start, rows] * share[rows]
            expected += np.bincount(ids, weights, self._pieces)
        return expected, float(np.sum(self._counts * np.log(whole)))

    def drop(self, alive: NDArray[np.bool_]) -> None:
        """Forget the pieces that are no longer there."""
        self._edges = [
            (end, start, rows[alive[ids]], ids[alive[ids]]) for end, start, rows, ids in self._edges
        ]


def learn_pieces(
    words: Mapping[str, int], seeds: Iterable[str], alphabet: Collection[str], size: int
) -> list[tuple[str, float]]:
    """Up to `size` pieces with their log-probabilities, the likeliest first.

    All characters of `alphabet` are among them, which holds those of the words; the others are
    those of `seeds` without which the words would lose most of their likelihood.
    """
    pieces = [*sorted(alphabet), *sorted(set(seeds) - set(alphabet))]
    lattices = Lattices(words, pieces)
    single = np.arange(len(pieces)) < len(alphabet)
    probability = np.full(len(pieces), 1 / len(pieces))
    kept = single  # pieces that do not die out
    while True:
        for _ in range(_STEPS):
            expected, _ = lattices.expected(probability)
            probability = maximized(expected, kept)
        left = np.flatnonzero(probability)
        if len(left) <= size:
            break
        losses = _losses(pieces, probability, expected)
        losses[single] = inf
        keep = max(size, int(len(left) * _KEPT))
        order = sorted(left, key=lambda each: (-losses[each], each))
        alive = np.zeros(len(pieces), dtype=bool)
        alive[order[:keep]] = True
        probability = np.where(alive, probability, 0)
        lattices.drop(alive)
        if keep == size:  # the last round is for their scores only
            kept = alive
    # Rounded, so that another machine's last bit gives no other file.
    scored = [(pieces[id], round(float(np.log(probability[id])), 6)) for id in left]
    return sorted(scored, key=lambda each: (-each[1], each[0]))


def maximized(expected: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Probabilities from expected counts, 0 for a piece that dies out; those in `kept` do not.

    With a sparse Dirichlet prior a count c has the weight exp(digamma(c)) (Liang and Klein 2007),
    which is about c - 1/2.
    """
    weights = np.maximum(expected - 0.5, np.where(kept, _UNSEEN, 0))
    return np.asarray(weights / weights.sum())


def _losses(pieces: list[str], probability: Floats, expected: Floats) -> Floats:
    """How much likelihood would be lost if each piece were spelled with others."""
    logs = {pieces[id]: float(np.log(probability[id])) for id in np.flatnonzero(probability)}
    losses = np.zeros(len(pieces))
    for id, piece in enumerate(pieces):
        if piece in logs and len(piece) > 1:
            losses[id] = expected[id] * (logs[piece] - _alternative(piece, logs))
    return losses


def _alternative(piece: str, logs: Mapping[str, float]) -> float:
    """The log-probability of the likeliest spelling of a piece with shorter ones."""
    best = [0.0]
    for end in range(1, len(piece) + 1):
        starts = range(1 if end == len(piece) else 0, end)
        best.append(max(best[start] + logs.get(piece[start:end], -inf) for start in starts))
    return best[-1]


def _parts(words: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent words with their counts, cut where they are long."""
    parts: Counter[str] = Counter()
    left = _CHARACTERS
    for word, number in sorted(words.items(), key=lambda each: (-each[1], each[0])):
        left -= len(word)
        if left < 0:
            break
        for start in range(0, len(word), _WORD):
            parts[word[start : start + _WORD]] += number
    return sorted(parts.items())
