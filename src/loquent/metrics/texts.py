"""How near a text is to one that people wrote."""

from importlib import import_module
from typing import Any

from loquent.errors import UsageError
from loquent.metrics.metric import Counts, Metric

_ORDERS = 4


def check() -> None:
    """Raise UsageError where the package is missing that scores texts."""
    _sacrebleu()


def _bleu_counts(answer: str, target: str, _classes: int) -> list[float]:
    """Matching and all n-grams of each order, and the lengths of both texts."""
    found = _sacrebleu().sentence_score(answer, [target])
    return [*found.counts, *found.totals, found.sys_len, found.ref_len]


def _bleu(total: Counts) -> float:
    """BLEU (Papineni et al. 2002) as sacrebleu computes it: 13a tokens, exponential smoothing."""
    whole = [int(each) for each in total]
    matches, grams = whole[:_ORDERS], whole[_ORDERS : 2 * _ORDERS]
    made = _sacrebleu().compute_bleu(
        matches, grams, whole[-2], whole[-1], smooth_method="exp", effective_order=False
    )
    return float(made.score)


def _sacrebleu() -> Any:
    """The scorer; raises UsageError where the package is missing."""
    try:
        module = import_module("sacrebleu.metrics.bleu")
    except ImportError as fault:
        raise UsageError(
            "BLEU needs the package sacrebleu, which is not installed.",
            fix="Install it with: pip install 'loquent[evaluate]'",
        ) from fault
    return module.BLEU(effective_order=True)  # of one sentence; its counts are the same without


BLEU = Metric(name="bleu", reads="texts", higher_is_better=True, count=_bleu_counts, score=_bleu)
