"""ROUGE: how much of a summary that people wrote is in one that was made (Lin 2004).

Each is the mean over examples of F1, in percent; of several right summaries the best counts.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from loquent.errors import DataError
from loquent.metrics.alignment import common_length, common_places
from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric
from loquent.metrics.texts import several
from loquent.metrics.words import ascii_words, characters

Cut = Callable[[str], list[str]]
Overlap = Callable[[str, str, Cut], float]  # (answer, target, cut) -> F1

_MOST_BITS = 1 << 33  # of a table for two sentences: 1 GiB


def harmonic(precision: float, recall: float) -> float:
    """F1: the harmonic mean of the two."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _grams(orders: int) -> Overlap:
    def overlap(answer: str, target: str, cut: Cut) -> float:
        """N-grams that both have (§2)."""
        told, meant = (_counted(cut(text), orders) for text in (answer, target))
        both = (told & meant).total()
        return harmonic(both / max(told.total(), 1), both / max(meant.total(), 1))

    return overlap


def _counted(words: list[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def _longest(answer: str, target: str, cut: Cut) -> float:
    """The longest common subsequence of the whole texts (§3.1)."""
    told, meant = cut(answer), cut(target)
    if not told or not meant:
        return 0.0
    both = common_length(meant, told)
    return harmonic(both / len(told), both / len(meant))


def _longest_of_sentences(answer: str, target: str, cut: Cut) -> float:
    """For each sentence of the target its words that are common to any of the answer's (§3.2).

    A line is a sentence. As in ROUGE-1.5.5 no word counts more often than it stands in a text.
    """
    told, meant = ([cut(line) for line in text.split("\n") if line] for text in (answer, target))
    left, right = (Counter(word for line in lines for word in line) for lines in (told, meant))
    sizes = left.total(), right.total()
    if not all(sizes):
        return 0.0
    both = 0
    for line in meant:
        found: set[int] = set()
        for other in told:
            if len(line) * len(other) > _MOST_BITS:
                raise DataError(
                    f"a line of {max(len(line), len(other)):,} words is too long for ROUGE-Lsum.",
                    fix="Put each sentence on a line of its own, or use ROUGE-L.",
                )
            found.update(common_places(line, other))
        for place in sorted(found):
            word = line[place]
            if left[word] and right[word]:
                both += 1
                left[word] -= 1
                right[word] -= 1
    return harmonic(both / sizes[0], both / sizes[1])


def _metric(kind: str, overlap: Overlap, language: str) -> Metric:
    cut, words = (characters, "characters") if language else (ascii_words, "a-z0-9")

    def count(answer: str, target: str | Sequence[str], _classes: int) -> tuple[float, float]:
        return max(overlap(answer, each, cut) for each in several(target)), 1.0

    def score(total: Counts) -> float:
        return float(100 * total[0] / total[1])

    return Metric(
        name=f"rouge{kind}-{language}" if language else f"rouge{kind}",
        reads="texts",
        higher_is_better=True,
        count=count,
        score=score,
        variant=f"f1 in percent|tok:{words}|case:lower|stem:no",
    )


_KINDS = {"1": _grams(1), "2": _grams(2), "L": _longest, "Lsum": _longest_of_sentences}
ROUGES = tuple(
    _metric(kind, overlap, language) for language in ("", "zh") for kind, overlap in _KINDS.items()
)
