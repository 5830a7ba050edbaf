"""Metrics as counts that add up: over examples, groups and ranks alike."""

from collections.abc import Mapping

from loquent.metrics.chances import CALIBRATION_ERROR, PR_AREA, ROC_AREA
from loquent.metrics.classes import (
    ACCURACY,
    ACCURACY_NORM,
    F1,
    F1_MICRO,
    MCC,
    PRECISION,
    PRECISION_MICRO,
    RECALL,
    RECALL_MICRO,
)
from loquent.metrics.counts import Counts, CountTable
from loquent.metrics.error_rates import ERROR_RATES
from loquent.metrics.likelihood import (
    BITS_PER_BYTE,
    BYTE_PERPLEXITY,
    LOSS,
    PERPLEXITY,
    WORD_PERPLEXITY,
)
from loquent.metrics.metric import Metric, Score, scored
from loquent.metrics.questions import ANSWER_F1, EXACT_MATCH
from loquent.metrics.rankings import NDCG, RECALLS, RECIPROCAL_RANK
from loquent.metrics.rouge import ROUGES
from loquent.metrics.texts import BLEUS, CHRF, CHRF_WORDS
from loquent.metrics.variety import VARIETY

_LIKELIHOOD = (LOSS, PERPLEXITY, WORD_PERPLEXITY, BYTE_PERPLEXITY, BITS_PER_BYTE)
_CLASSES = (
    ACCURACY,
    ACCURACY_NORM,
    F1,
    PRECISION,
    RECALL,
    F1_MICRO,
    PRECISION_MICRO,
    RECALL_MICRO,
    MCC,
)
_CHANCES = (ROC_AREA, PR_AREA, CALIBRATION_ERROR)
_TEXTS = (*BLEUS, CHRF, CHRF_WORDS, *ROUGES, EXACT_MATCH, ANSWER_F1)
_MORE_TEXTS = (*ERROR_RATES, *VARIETY)
_RANKINGS = (*RECALLS, RECIPROCAL_RANK, NDCG)

METRICS: Mapping[str, Metric] = {
    each.name: each
    for group in (_LIKELIHOOD, _CLASSES, _CHANCES, _TEXTS, _MORE_TEXTS, _RANKINGS)
    for each in group
}

_BY_CHARACTER = {"ja": "zh"}  # where a metric has no form for a language: the form that fits it


def in_language(name: str, language: str) -> Metric:
    """The metric of this name in the form that fits texts of a language, such as `zh` or `ja`."""
    code = language.lower().replace("_", "-").partition("-")[0]
    for form in (code, _BY_CHARACTER.get(code, code)):
        if f"{name}-{form}" in METRICS:
            return METRICS[f"{name}-{form}"]
    return METRICS[name]


__all__ = ["METRICS", "CountTable", "Counts", "Metric", "Score", "in_language", "scored"]
