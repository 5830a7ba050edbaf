"""Judging texts that are written: translations, summaries and answers, beside those of people."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from loquent.data.reading import Record
from loquent.data.shapes import Columns, normal
from loquent.errors import DataError, UsageError
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.job import Job, Look
from loquent.evaluation.settings import Settings
from loquent.lm.lm import LM
from loquent.metrics import METRICS, in_language
from loquent.tasks.answering import answer
from loquent.tasks.summarizing import summarize
from loquent.tasks.translating import translate


class Written(NamedTuple):
    """What a model wrote, and how much of the question it did not read."""

    text: str
    dropped_tokens: int


Write = Callable[[Sequence[Item]], list[Written]]


class Writer:
    """A model that writes; `nearness` is the metric by which the worst examples are found."""

    classes: tuple[str, ...] = ()
    several, note = False, ""

    def __init__(self, write: Write, nearness: str, setting: str) -> None:
        self._write, self._nearness, self.setting = write, METRICS[nearness], setting

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        """Ask, and see how near each text is to what people wrote."""
        for item, made in zip(items, self._write(items), strict=True):
            yield [self._outcome(item, made.text, made.dropped_tokens, "")]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """An empty text."""
        return [self._outcome(item, "", 0, error)]

    def _outcome(self, item: Item, text: str, dropped: int, error: str) -> Outcome:
        targets = list(item.targets)
        counts = np.asarray(self._nearness.count(text, targets, 0), np.float64)
        return Outcome(
            told=text,
            facts={"texts": (text, targets)},
            goodness=self._nearness.score(counts),
            dropped_tokens=dropped,
            error=error,
        )


def pairs(record: Record, settings: Settings) -> Iterator[Item]:
    """A text and what is to be made of it, of which there may be several."""
    columns = Columns(**settings.columns)
    values = normal(record, columns).values
    names = next(
        (n for n in (("source", "target"), ("prompt", "completion")) if n[0] in values), None
    )
    if names is None:
        raise DataError("needs a text and what is to be made of it.", where=record.where)
    asked, first = values[names[0]], values[names[1]]
    if not asked.strip() or not first.strip():
        raise DataError("one of the two texts is empty.", where=record.where)
    others = next(
        (each for each in record.values.values() if isinstance(each, list) and each[:1] == [first]),
        [first],
    )
    yield Item(asked=asked, targets=tuple(map(str, others)), where=record.where)


def questions(record: Record, settings: Settings) -> Iterator[Item]:
    """A question about a text with all right answers; none where the text has none."""
    named = settings.columns
    question = record.values.get(named.get("prompt") or "question")
    context = record.values.get(named.get("text") or "context")
    if not isinstance(question, str) or not isinstance(context, str):
        has = ", ".join(map(repr, record.values))
        raise DataError("needs a question and a context.", where=record.where, fix=f"It has {has}.")
    if not question.strip() or not context.strip():
        raise DataError("the question or the context is empty.", where=record.where)
    given: Any = record.values.get("answers", record.values.get("answer"))
    if isinstance(given, Mapping):
        given = given.get("text")
    listed = given if isinstance(given, list) else [] if given is None else [given]
    texts: list[Any] = [e.get("text") if isinstance(e, Mapping) else e for e in listed]
    if not all(isinstance(each, str) for each in texts):
        raise DataError("'answers' is not as it should be.", where=record.where)
    yield Item(asked=(question, context), targets=tuple(texts), where=record.where)


def _language(settings: Settings, look: Look) -> str:
    return settings.language or settings.target or look.language


def _translator(lm: LM | None, settings: Settings, look: Look) -> Writer:
    assert lm is not None
    model, target = lm, settings.target or look.language
    if not target:
        raise UsageError("the language of the translations cannot be told.", fix="Say --to.")
    source = settings.source or look.asked_language
    if not source:
        raise UsageError("the language of the texts cannot be told.", fix="Say --from.")

    def write(items: Sequence[Item]) -> list[Written]:
        made = translate(
            model,
            [item.shown for item in items],
            target=target,
            source=source,
            prefix=settings.prefix,
            beams=settings.beams,
        )
        return [Written(each.text, 0) for each in made]

    beams = f"|beams:{settings.beams}" if settings.beams else ""
    return Writer(write, "chrf", f"{source}-{target}{beams}")


def _summarizer(lm: LM | None, settings: Settings, look: Look) -> Writer:
    def write(items: Sequence[Item]) -> list[Written]:
        made = summarize(
            lm,
            [item.shown for item in items],
            how=settings.how,
            words=settings.words,
            sentences=settings.sentences,
            prefix=settings.prefix,
            beams=settings.beams,
            truncate=settings.truncate,
        )
        return [Written(each.text, each.dropped_tokens) for each in made]

    length = (
        f"words:{settings.words}" if settings.how == "model" else f"sentences:{settings.sentences}"
    )
    nearness = in_language("rouge1", _language(settings, look)).name
    return Writer(write, nearness, f"how:{settings.how}|{length}")


def _answerer(lm: LM | None, settings: Settings, look: Look) -> Writer:
    assert lm is not None
    model = lm

    def write(items: Sequence[Item]) -> list[Written]:
        asked = [(item.asked[0], item.asked[1]) for item in items]
        made = answer(model, asked, truncate=settings.truncate)
        return [Written(each.text, each.dropped_tokens) for each in made]

    return Writer(write, "answer_f1", "")


def _named(*names: str) -> Callable[[Settings, str], list[str]]:
    """The metrics in the form that fits the language of the answers."""

    def chosen(settings: Settings, language: str) -> list[str]:
        code = settings.language or settings.target or language
        return [in_language(name, code).name for name in names]

    return chosen


TRANSLATE = Job(
    name="translate",
    does="say in another language what a text says",
    application="translate",
    metrics=_named("bleu", "chrf", "chrf++", "length_ratio"),
    items=pairs,
    judge=_translator,
    used=("source", "target", "prefix", "beams", "language"),
)
SUMMARIZE = Job(
    name="summarize",
    does="say shorter what a text says",
    application="summarize",
    metrics=_named("rouge1", "rouge2", "rougeL", "rougeLsum", "length_ratio", "repetition"),
    items=pairs,
    judge=_summarizer,
    used=("how", "words", "sentences", "prefix", "beams", "language", "truncate"),
    size=8,
    needs_model=lambda settings: settings.how == "model",
)
ANSWER = Job(
    name="answer",
    does="answer a question about a text",
    application="answer",
    metrics=lambda *_: ("answer_f1", "exact_match"),
    items=questions,
    judge=_answerer,
    used=("truncate",),
    size=8,
)
