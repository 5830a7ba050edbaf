"""How many words or characters of a text were told wrongly."""

import re
from collections.abc import Callable, Sequence

from loquent.metrics.alignment import edits
from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric
from loquent.metrics.normalizing import english, plain
from loquent.metrics.texts import several

_SPACES = re.compile(r"\s\s+")
_EAST = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_EAST_OR_WORD = re.compile(rf"[{_EAST}]|[^\s{_EAST}]+")


def _words(text: str) -> list[str]:
    """Between spaces, as the package jiwer has it: a single tab or line end is no space."""
    return [word for word in _SPACES.sub(" ", text).strip().split(" ") if word]


def _characters(text: str) -> list[str]:
    return list(text.strip())


def _east_words(text: str) -> list[str]:
    """Each Chinese or Japanese character, and whatever else stands between spaces and those."""
    return _EAST_OR_WORD.findall(text)


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


_RAW = "case:mixed|punctuation:kept"
_PLAIN = "normal:plain"
_ENGLISH = "normal:english"

# By words or characters, as they are or as Whisper's normalizers make texts alike.
ERROR_RATES = (
    _metric("wer", _words, f"edits by word|{_RAW}"),
    _metric("wer-zh", _east_words, f"edits by character or word|{_RAW}"),
    _metric("cer", _characters, f"edits by character|{_RAW}"),
    _metric("wer-normalized", lambda text: _words(plain(text)), f"edits by word|{_PLAIN}"),
    _metric("wer-normalized-en", lambda text: _words(english(text)), f"edits by word|{_ENGLISH}"),
    _metric(
        "wer-normalized-zh",
        lambda text: _east_words(plain(text)),
        f"edits by character or word|{_PLAIN}",
    ),
    _metric(
        "cer-normalized", lambda text: _characters(plain(text)), f"edits by character|{_PLAIN}"
    ),
    _metric(
        "cer-normalized-en",
        lambda text: _characters(english(text)),
        f"edits by character|{_ENGLISH}",
    ),
)
