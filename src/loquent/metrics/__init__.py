"""Metrics as counts that add up: over examples, groups and ranks alike."""

from collections.abc import Mapping

from loquent.metrics.classes import ACCURACY, F1
from loquent.metrics.likelihood import LOSS, PERPLEXITY
from loquent.metrics.metric import Counts, Metric, Score, scored
from loquent.metrics.texts import BLEU

METRICS: Mapping[str, Metric] = {each.name: each for each in (LOSS, PERPLEXITY, ACCURACY, F1, BLEU)}

__all__ = ["METRICS", "Counts", "Metric", "Score", "scored"]
