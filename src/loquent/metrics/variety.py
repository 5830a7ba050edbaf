"""What texts are like by themselves: whether they repeat themselves, and how long they are."""

import math
from collections.abc import Callable, Sequence

from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric
from loquent.metrics.texts import several
from loquent.metrics.words import characters, spaced

Cut = Callable[[str], list[str]]
Count = Callable[[str, str | Sequence[str], int], tuple[float, float]]

_REPEATED = 4  # words of a run that is told twice


def _distinct(order: int, cut: Cut) -> Count:
    def count(answer: str, _target: str | Sequence[str], _classes: int) -> tuple[float, float]:
        """The share of n-grams of a text that are unlike each other (Li et al. 2016, §5)."""
        grams = _grams(cut(answer), order)
        return (len(set(grams)) / len(grams), 1.0) if grams else (0.0, 0.0)

    return count


def _repetition(cut: Cut) -> Count:
    def count(answer: str, _target: str | Sequence[str], _classes: int) -> tuple[float, float]:
        """The share of runs of four words that came before (Welleck et al. 2020, equation 9)."""
        grams = _grams(cut(answer), _REPEATED)
        return (1 - len(set(grams)) / len(grams), 1.0) if grams else (0.0, 0.0)

    return count


def _lengths(cut: Cut) -> Count:
    def count(answer: str, target: str | Sequence[str], _classes: int) -> tuple[float, float]:
        """The length of the answer, and that of the target nearest to it."""
        told = len(cut(answer))
        meant = min((len(cut(each)) for each in several(target)), key=lambda one: abs(one - told))
        return float(told), float(meant)

    return count


def _grams(words: list[str], order: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(order)), strict=False))


def _mean(total: Counts) -> float:
    return float(total[0] / total[1]) if total[1] else math.nan


def _metrics(language: str) -> tuple[Metric, ...]:
    cut, words = (characters, "characters") if language else (spaced, "between white space")
    end = f"-{language}" if language else ""

    def metric(name: str, count: Count, higher: bool, variant: str) -> Metric:
        return Metric(
            name=name + end,
            reads="texts",
            higher_is_better=higher,
            count=count,
            score=_mean,
            variant=f"{variant}|words:{words}",
        )

    mean = "mean over answers"
    return (
        metric("distinct1", _distinct(1, cut), True, mean),
        metric("distinct2", _distinct(2, cut), True, mean),
        metric("repetition", _repetition(cut), False, f"{mean}|runs:{_REPEATED}"),
        metric("length_ratio", _lengths(cut), True, "answers by targets"),
    )


VARIETY = (*_metrics(""), *_metrics("zh"))
