"""How good a translator or summarizer of ours is, beside others on the same texts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import loquent
from loquent.data.records import records
from loquent.errors import UserError
from loquent.metrics import METRICS, Score, in_language, scored
from loquent.runs.asking import languages_of
from loquent.runs.plan import planned
from loquent.tasks.summarizing import summarize
from loquent.tasks.translating import translate

TASKS = ("translate", "summarize")
OTHERS = {
    "translate": ("flan-t5-small-title",),
    "summarize": ("flan-t5-small-title", "smollm2-135m"),
}
WORDS = 25  # of a summary of one sentence
BEAMS = 4

Writer = Callable[[Sequence[str]], list[str]]


def table(name: str, plan: Mapping[str, Any], paths: Sequence[str], first: int) -> Iterator[str]:
    """Figures of each file: of the model, of what it was made from, of a chat model, of none."""
    about = planned(plan)
    source, target = about.data.source, about.data.target
    task, pair = about.task, languages_of(about.data)
    kinds = ("bleu", "chrf") if task == "translate" else ("rouge1", "rouge2", "rougeL")
    metrics = [in_language(each, pair[1] if pair else "en").name for each in kinds]
    yield f"| test data | who | {' | '.join(metrics)} | examples |"
    yield f"|---|---|{'---|' * len(metrics)}---|"
    for path in paths:
        rows = [record.values for record in records(Path(path))][: first or None]
        texts = [row[source] for row in rows]
        for who, write in writers(name, task, pair):
            answers = write(texts)
            figures = [told(score(each, answers, rows, target)) for each in metrics]
            yield f"| {path} | {who} | {' | '.join(figures)} | {len(rows):,} |"


def writers(name: str, task: str, pair: Sequence[str]) -> Iterator[tuple[str, Writer]]:
    """The model and its rivals, each opened at its turn; those that cannot be had are left out."""
    for each in (name, *OTHERS[task]):
        try:
            lm = loquent.open(f"loquent:{each}" if each == name else each)
        except UserError:
            if each == name:
                raise
            continue
        if task == "translate":
            fits = each == name or pair[1] in ("de", "fr")
            if fits:
                yield (
                    each,
                    lambda texts, lm=lm: [
                        made.text
                        for made in translate(
                            lm, texts, source=pair[0], target=pair[1], beams=BEAMS
                        )
                    ],
                )
        else:
            beams = BEAMS if lm.network.config.encoder is not None else 0
            yield (
                each,
                lambda texts, lm=lm, beams=beams: [
                    made.text for made in summarize(lm, texts, words=WORDS, beams=beams)
                ],
            )
    if task == "summarize":
        yield (
            "the first sentence",
            lambda texts: [made.text for made in summarize(None, texts, how="lead", sentences=1)],
        )


def score(
    metric: str, answers: Sequence[str], rows: Sequence[Mapping[str, Any]], target: str
) -> Score:
    """Of answers, with its interval."""
    found = METRICS[metric]
    counts = [
        found.count(answer, row.get("targets") or row[target], 0)
        for answer, row in zip(answers, rows, strict=True)
    ]
    return scored(found, np.array(counts, np.float64))


def told(score: Score) -> str:
    """A figure with its 95 % interval."""
    return f"{score.value:.1f} ({score.low:.1f} to {score.high:.1f})"
