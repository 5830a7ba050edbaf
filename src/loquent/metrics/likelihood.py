"""How well a network foretells tokens."""

import math
from collections.abc import Callable

from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric

_HIGHEST = 700.0  # nats whose exponential is still a number
_WORDS, _BYTES = 2, 3  # columns of what `_sizes` counts


def _count(nats: float, targets: float, _classes: int) -> tuple[float, float]:
    return nats, targets


def _sizes(
    nats: float, sizes: tuple[float, float, float], _classes: int
) -> tuple[float, float, float, float]:
    """Nats of a text, and its tokens, words and bytes."""
    return (nats, *sizes)


def _loss(total: Counts) -> float:
    """Nats per target."""
    return float(total[0] / total[1]) if total[1] else math.nan


def _perplexity(total: Counts) -> float:
    """The exponential of the loss (Jelinek et al. 1977)."""
    return math.exp(min(_loss(total), _HIGHEST))


def _perplexity_by(column: int) -> Callable[[Counts], float]:
    def perplexity(total: Counts) -> float:
        """The exponential of nats by word or byte, whichever tokens the model has."""
        size = total[column]
        return math.exp(min(float(total[0] / size), _HIGHEST)) if size else math.nan

    return perplexity


def _bits(total: Counts) -> float:
    """Bits by byte of UTF-8."""
    return float(total[0] / math.log(2) / total[_BYTES]) if total[_BYTES] else math.nan


LOSS = Metric(
    name="loss",
    reads="likelihood",
    higher_is_better=False,
    count=_count,
    score=_loss,
    variant="nats by:token",
)
PERPLEXITY = Metric(
    name="perplexity",
    reads="likelihood",
    higher_is_better=False,
    count=_count,
    score=_perplexity,
    variant="by:token",
)
WORD_PERPLEXITY = Metric(
    name="word_perplexity",
    reads="sizes",
    higher_is_better=False,
    count=_sizes,
    score=_perplexity_by(_WORDS),
    variant="by:word|words:between white space",
)
BYTE_PERPLEXITY = Metric(
    name="byte_perplexity",
    reads="sizes",
    higher_is_better=False,
    count=_sizes,
    score=_perplexity_by(_BYTES),
    variant="by:byte of UTF-8",
)
BITS_PER_BYTE = Metric(
    name="bits_per_byte",
    reads="sizes",
    higher_is_better=False,
    count=_sizes,
    score=_bits,
    variant="by:byte of UTF-8",
)
