"""How well a network foretells tokens."""

import math

from loquent.metrics.metric import Counts, Metric

_HIGHEST = 700.0  # nats whose exponential is still a number


def _count(nats: float, targets: float, _classes: int) -> tuple[float, float]:
    return nats, targets


def _loss(total: Counts) -> float:
    """Nats per target."""
    return float(total[0] / total[1]) if total[1] else math.nan


def _perplexity(total: Counts) -> float:
    """The exponential of the loss (Jelinek et al. 1977)."""
    return math.exp(min(_loss(total), _HIGHEST))


LOSS = Metric(name="loss", reads="likelihood", higher_is_better=False, count=_count, score=_loss)
PERPLEXITY = Metric(
    name="perplexity", reads="likelihood", higher_is_better=False, count=_count, score=_perplexity
)
