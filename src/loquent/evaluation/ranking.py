"""Judging what is found: passages that answer a query, and words that were hidden."""

from collections.abc import Iterator

import numpy as np

from loquent.data.reading import Record
from loquent.errors import DataError, UsageError
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.job import Job, Look
from loquent.evaluation.settings import Settings
from loquent.evaluation.writing import pairs
from loquent.lm.lm import LM
from loquent.lm.reading import cannot
from loquent.tasks.filling import MARK, fill

_DEEPEST = 1000  # place up to which a right passage is looked for
_SHOWN = 10  # passages that are kept whether right or not
_AT_ONCE = 64
_GUESSES = 10  # words for a hidden one


class _Search:
    """A model that embeds queries and all passages of the data."""

    classes: tuple[str, ...] = ()
    several, note = False, ""

    def __init__(self, lm: LM, settings: Settings, look: Look) -> None:
        if lm.network.config.output != "embedding":
            raise cannot(lm.network.config, "embed texts")
        self._lm, self._truncate = lm, settings.truncate
        self._passages = list(dict.fromkeys(t for item in look.items() for t in item.targets))
        self._numbers = {text: number for number, text in enumerate(self._passages)}
        if len(self._passages) < 2:
            raise UsageError("a search needs two passages or more to choose among.")
        self._vectors = np.concatenate(
            [
                lm.embed(self._passages[start : start + _AT_ONCE], truncate=settings.truncate)
                for start in range(0, len(self._passages), _AT_ONCE)
            ]
        )
        self.setting = f"passages:{len(self._passages)}|looked at:{_DEEPEST}"

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        queries = self._lm.embed([item.shown for item in items], truncate=self._truncate)
        for item, query in zip(items, queries, strict=True):
            scores = self._vectors @ query
            order = np.argsort(-scores, kind="stable")[:_DEEPEST].tolist()
            right = {self._numbers[each] for each in item.targets}
            found = [
                str(number) if number in right or place < _SHOWN else None
                for place, number in enumerate(order)
            ]
            while found and found[-1] is None:
                found.pop()
            first = next((place for place, number in enumerate(order, 1) if number in right), 0)
            yield [
                Outcome(
                    told=self._passages[order[0]],
                    facts={"rankings": (found, {str(number): 1.0 for number in right})},
                    goodness=1 / first if first else 0.0,
                )
            ]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """Nothing is found."""
        gains = {str(self._numbers[each]): 1.0 for each in item.targets}
        return [Outcome(told="", facts={"rankings": ([], gains)}, goodness=0.0, error=error)]


class _Fill:
    """A model that tells hidden words."""

    classes: tuple[str, ...] = ()
    several, note = False, ""

    def __init__(self, lm: LM, settings: Settings) -> None:
        self._lm, self._truncate = lm, settings.truncate
        self.setting = f"guesses:{_GUESSES}"

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        asked = [item.shown for item in items]
        made = fill(self._lm, asked, top=_GUESSES, truncate=self._truncate)
        for item, each in zip(items, made, strict=True):
            words = [one.word for one in each.candidates[0]]
            gains = dict.fromkeys(item.targets, 1.0)
            places = [place for place, word in enumerate(words, 1) if word in gains]
            yield [
                Outcome(
                    told=words[0],
                    facts={"rankings": (words, gains)},
                    goodness=1 / places[0] if places else 0.0,
                    dropped_tokens=each.dropped_tokens,
                )
            ]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """No word."""
        gains = dict.fromkeys(item.targets, 1.0)
        return [Outcome(told="", facts={"rankings": ([], gains)}, goodness=0.0, error=error)]


def _hidden(record: Record, settings: Settings) -> Iterator[Item]:
    """A text with one hidden word, and the word."""
    for item in pairs(record, settings):
        if len(MARK.findall(item.shown)) != 1:
            raise DataError("needs one hidden word, marked <mask> or [MASK].", where=record.where)
        yield item


def _search(lm: LM | None, settings: Settings, look: Look) -> _Search:
    assert lm is not None
    return _Search(lm, settings, look)


def _fill(lm: LM | None, settings: Settings, _: Look) -> _Fill:
    assert lm is not None
    return _Fill(lm, settings)


SEARCH = Job(
    name="search",
    does="find the passage that belongs to a query among all of the data",
    application="embed",
    metrics=lambda *_: ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10"),
    items=pairs,
    judge=_search,
    used=("truncate",),
)
FILL = Job(
    name="fill",
    does="tell the hidden word of a text",
    application="fill",
    metrics=lambda *_: ("recall@1", "recall@5", "recall@10", "mrr"),
    items=_hidden,
    judge=_fill,
    used=("truncate",),
)
