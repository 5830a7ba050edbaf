"""How right short answers are, by the rules of SQuAD 2.0 (Rajpurkar et al. 2016 and 2018, §6.1)."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric
from loquent.metrics.rouge import harmonic
from loquent.metrics.texts import several

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain(text: str) -> str:
    """In lower case, without ASCII punctuation, English articles and spare white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _equal(answer: str, target: str) -> float:
    return float(plain(answer) == plain(target))


def _overlap(answer: str, target: str) -> float:
    """F1 of the words; where one of the two is no answer, both must be."""
    told, meant = (Counter(plain(text).split()) for text in (answer, target))
    if not told or not meant:
        return float(told == meant)
    both = (told & meant).total()
    return harmonic(both / told.total(), both / meant.total())


def _best(how: Callable[[str, str], float]) -> Callable[..., tuple[float, float]]:
    def count(answer: str, target: str | Sequence[str], _classes: int) -> tuple[float, float]:
        """Against the target that it is nearest to; none at all means that there is no answer."""
        targets = [each for each in several(target) if plain(each)] or [""]
        return max(how(answer, each) for each in targets), 1.0

    return count


def _percent(total: Counts) -> float:
    return float(100 * total[0] / total[1])


EXACT_MATCH = Metric(
    name="exact_match",
    reads="texts",
    higher_is_better=True,
    count=_best(_equal),
    score=_percent,
    variant="percent|rules:squad 2.0",
)
ANSWER_F1 = Metric(
    name="answer_f1",
    reads="texts",
    higher_is_better=True,
    count=_best(_overlap),
    score=_percent,
    variant="percent|rules:squad 2.0",
)
