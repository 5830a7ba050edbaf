"""How many words or characters of a text were told wrongly."""

import re
from collections.abc import Callable, Sequence

from loquent.metrics.alignment import edits
from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric
from loquent.metrics.texts import several

_SPACES = re.compile(r"\s\s+")


def _words(text: str) -> list[str]:
    """Between spaces, as the package jiwer has it: a single tab or line end is no space."""
    return [word for word in _SPACES.sub(" ", text).strip().split(" ") if word]


def _characters(text: str) -> list[str]:
    return list(text.strip())


def _rate(total: Counts) -> float:
    """Edits by items of the targets; where those have none, what was told in excess."""
    return float(total[0] / total[1]) if total[1] else float(total[0])


def _metric(name: str, cut: Callable[[str], list[str]], variant: str) -> Metric:
    def count(answer: str, target: str | Sequence[str], _classes: int) -> tuple[float, float]:
        """Edits to the nearest of the targets, and its length."""
        told = cut(answer)
        found = [(edits(meant, told), len(meant)) for meant in map(cut, several(target))]
        wrong, size = min(found, key=lambda each: each[0] / max(each[1], 1))
        return float(wrong), float(size)

    return Metric(
        name=name,
        reads="texts",
        higher_is_better=False,
        count=count,
        score=_rate,
        variant=variant,
    )


WORD_ERRORS = _metric("wer", _words, "edits by word|case:mixed|punctuation:kept")
CHARACTER_ERRORS = _metric("cer", _characters, "edits by character|case:mixed|punctuation:kept")
