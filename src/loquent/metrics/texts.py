"""How near a text is to one that people wrote: BLEU and chrF, computed by sacrebleu."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from loquent.errors import UsageError
from loquent.metrics.counts import Counts
from loquent.metrics.metric import Metric

# sacrebleu's tokenizer for each language that has one of its own, and what it needs besides.
TOKENIZERS = {"zh": "zh", "ja": "ja-mecab"}


def check(language: str = "") -> None:
    """Raise UsageError where a package is missing that scores texts of a language."""
    _bleu(TOKENIZERS.get(language, "13a"))


def several(target: str | Sequence[str]) -> Sequence[str]:
    """The targets that are equally right, of which there may be one."""
    return [target] if isinstance(target, str) else target


@cache
def _bleu(tokenizer: str) -> Any:
    """BLEU (Papineni et al. 2002) with exponential smoothing."""
    try:
        return _imported("sacrebleu.metrics.bleu").BLEU(tokenize=tokenizer)
    except (ImportError, RuntimeError) as fault:
        raise UsageError(
            "BLEU of Japanese needs the packages mecab-python3 and ipadic, which are not here.",
            fix="Install them with: pip install 'sacrebleu[ja]'",
        ) from fault


@cache
def _chrf(words: int) -> Any:
    """chrF (Popović 2015) or, with pairs of words too, chrF++ (Popović 2017)."""
    return _imported("sacrebleu.metrics.chrf").CHRF(word_order=words)


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as fault:
        raise UsageError(
            "BLEU and chrF need the package sacrebleu, which is not installed.",
            fix="Install it with: pip install 'loquent[evaluate]'",
        ) from fault


def _metric(name: str, scorer: Callable[[], Any], variant: str) -> Metric:
    def count(answer: str, target: str | Sequence[str], _classes: int) -> list[float]:
        """Lengths, and matching and all n-grams of each order."""
        targets = [[each] for each in several(target)]
        (made,) = scorer()._extract_corpus_statistics([answer], targets)
        return list(made)

    def score(total: Counts) -> float:
        whole = [int(each) for each in total]
        return float(scorer()._compute_score_from_stats(whole).score)

    return Metric(
        name=name,
        reads="texts",
        higher_is_better=True,
        count=count,
        score=score,
        variant=variant,
        package="sacrebleu",
    )


def _bleu_metric(name: str, tokenizer: str) -> Metric:
    variant = f"case:mixed|eff:no|tok:{tokenizer}|smooth:exp"
    return _metric(name, lambda: _bleu(tokenizer), variant)


def _chrf_metric(name: str, words: int) -> Metric:
    variant = f"case:mixed|eff:yes|nc:6|nw:{words}|space:no"
    return _metric(name, lambda: _chrf(words), variant)


BLEU = _bleu_metric("bleu", "13a")
BLEUS = (BLEU, *(_bleu_metric(f"bleu-{code}", each) for code, each in TOKENIZERS.items()))
CHRF = _chrf_metric("chrf", 0)
CHRF_WORDS = _chrf_metric("chrf++", 2)
