"""Judging language models by how likely they make texts: perplexity, completions and choices."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from loquent.data.reading import Record
from loquent.data.shapes import Columns, normal
from loquent.errors import DataError, RequestError
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.job import Job, Look
from loquent.evaluation.settings import Settings
from loquent.evaluation.windows import stretches, token_nats, window_of
from loquent.lm.lm import LM
from loquent.lm.reading import cannot

# What is asked before choices, and which of them is right, by the usual names.
_QUESTIONS = ("question", "query", "ctx", "context", "prompt", "sentence", "goal", "text")
_CHOICES = ("choices", "endings", "options")
_ANSWERS = ("answer", "gold", "label", "answerKey", "answer_index")


def texts(record: Record, settings: Settings) -> Iterator[Item]:
    """A text of any length."""
    text = normal(record, Columns(**settings.columns)).values.get("text")
    if not isinstance(text, str):
        raise DataError("needs a text.", where=record.where)
    if text.strip():
        yield Item(asked=text, where=record.where)


def completions(record: Record, settings: Settings) -> Iterator[Item]:
    """What is begun and how it goes on; of a single text the last word is what is to be told."""
    values = normal(record, Columns(**settings.columns)).values
    if "text" in values:
        begun, _, word = values["text"].rstrip().rpartition(" ")
        values = {"prompt": begun, "completion": f" {word}"}
    prompt = values.get("prompt", values.get("source"))
    completion = values.get("completion", values.get("target"))
    if not isinstance(prompt, str) or not isinstance(completion, str) or not completion.strip():
        raise DataError("needs a prompt and its completion.", where=record.where)
    if prompt and not prompt[-1].isspace() and not completion[0].isspace():
        completion = f" {completion}"
    yield Item(asked=prompt, targets=(completion,), where=record.where)


def choices(record: Record, settings: Settings) -> Iterator[Item]:
    """A question, its choices, and which of them is right: a number, a letter or the text."""
    values = {str(name): value for name, value in record.values.items()}
    listed: Any = next((values[name] for name in _CHOICES if name in values), None)
    letters: Sequence[Any] = ()
    if isinstance(listed, Mapping):
        listed, letters = listed.get("text"), listed.get("label", ())
    named = settings.columns.get("text", "")
    asked = next((values[n] for n in ((named,) if named else _QUESTIONS) if n in values), None)
    right = next((values[name] for name in _ANSWERS if name in values), None)
    if not isinstance(asked, str) or not isinstance(listed, list) or len(listed) < 2:
        has = ", ".join(map(repr, values))
        what = "needs a question and two choices or more."
        raise DataError(what, where=record.where, fix=f"It has {has}.")
    made = tuple(map(str, listed))
    number = _number(right, made, letters)
    if number is None:
        raise DataError(f"{right!r:.40} is none of the {len(made)} choices.", where=record.where)
    yield Item(asked=asked, targets=(made[number],), choices=made, where=record.where)


def _number(right: Any, made: Sequence[str], letters: Sequence[Any]) -> int | None:
    """The number of the right choice: by its text, its letter, or its number from 0."""
    if isinstance(right, str):
        given = [str(each) for each in letters] or [chr(ord("A") + n) for n in range(len(made))]
        for known in (list(made), given):
            if right.strip() in known:
                return known.index(right.strip())
    try:
        number = int(right)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < len(made) else None


class _Texts:
    """A model under which whole texts are likely or not, in windows that overlap."""

    classes: tuple[str, ...] = ()
    several, note = False, ""

    def __init__(self, lm: LM, settings: Settings) -> None:
        self._lm = lm
        self._window = window_of(lm, settings.context, settings.stride)
        self.setting = self._window.setting

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        for item in items:
            yield list(self._of(item.shown))

    def _of(self, text: str) -> Iterator[Outcome]:
        nats, starts = token_nats(self._lm, text, self._window)
        for first, last in stretches(text):
            own = nats[(starts >= first) & (starts < last)]
            part = text[first:last]
            total, tokens = float(own.sum()), len(own)
            sizes = [tokens, len(part.split()), len(part.encode())]
            yield Outcome(
                told=part[:200],
                facts={"sizes": (total, sizes), "likelihood": (total, tokens)},
                goodness=-total / max(sizes[2], 1),
            )

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """A text without a likelihood cannot be counted."""
        raise RequestError(error, where=item.where)


class _Completions:
    """A model under which completions are likely or not."""

    classes: tuple[str, ...] = ()
    several, note = False, ""
    setting = ""

    def __init__(self, lm: LM) -> None:
        self._lm = lm

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        pairs = [(item.shown, item.targets[0]) for item in items]
        for item, each in zip(items, self._lm.score(pairs), strict=True):
            told = "the likeliest" if each.greedy else "not the likeliest"
            yield [
                Outcome(
                    told=f"{item.targets[0].strip()}: {told}, {each.logprob:.3f} nats",
                    facts={
                        "classes": ([0 if each.greedy else -1], [0]),
                        "likelihood": (-each.logprob, each.tokens),
                    },
                    goodness=each.logprob,
                )
            ]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """A completion without a likelihood cannot be counted."""
        raise RequestError(error, where=item.where)


class _Choices:
    """A model that makes one of several choices the likeliest."""

    classes: tuple[str, ...] = ()
    several, note = False, ""
    setting = "score:log p of a space and the choice"

    def __init__(self, lm: LM) -> None:
        self._lm = lm

    def __call__(self, items: list[Item]) -> Iterator[list[Outcome]]:
        for item in items:
            asked = item.shown.rstrip()
            pairs = [(asked, f" {choice.strip()}") for choice in item.choices]
            logs = np.array([each.logprob for each in self._lm.score(pairs)])
            lengths = np.array([max(len(choice.strip()), 1) for choice in item.choices])
            right = item.choices.index(item.targets[0])
            first, fair = int(logs.argmax()), int((logs / lengths).argmax())
            others = np.delete(logs, right)
            yield [
                Outcome(
                    told=item.choices[first],
                    facts={"classes": ([first], [right]), "normalized": ([fair], [right])},
                    goodness=float(logs[right] - others.max()),
                )
            ]

    def missing(self, item: Item, error: str) -> list[Outcome]:
        """No choice at all."""
        fact = ([-1], [item.choices.index(item.targets[0])])
        return [
            Outcome(
                told="",
                facts={"classes": fact, "normalized": fact},
                goodness=-float("inf"),
                error=error,
            )
        ]


def _writes(lm: LM | None) -> LM:
    assert lm is not None
    config = lm.network.config
    if config.output != "token" or config.decoder is None or config.encoder is not None:
        raise cannot(config, "continue texts")
    return lm


def _of_texts(lm: LM | None, settings: Settings, _: Look) -> _Texts:
    return _Texts(_writes(lm), settings)


def _of_completions(lm: LM | None, _: Settings, __: Look) -> _Completions:
    return _Completions(_writes(lm))


def _of_choices(lm: LM | None, _: Settings, __: Look) -> _Choices:
    return _Choices(_writes(lm))


GENERATE = Job(
    name="generate",
    does="foretell texts: perplexity and bits per byte",
    application="generate",
    metrics=lambda *_: ("bits_per_byte", "byte_perplexity", "word_perplexity", "perplexity"),
    items=texts,
    judge=_of_texts,
    used=("context", "stride"),
    size=1,
)
COMPLETE = Job(
    name="complete",
    does="go on as a text does: whether that is the likeliest continuation",
    application="generate",
    metrics=lambda *_: ("accuracy", "perplexity"),
    items=completions,
    judge=_of_completions,
)
CHOOSE = Job(
    name="choose",
    does="choose the right one of several endings by likelihood",
    application="generate",
    metrics=lambda *_: ("accuracy", "accuracy_norm"),
    items=choices,
    judge=_of_choices,
)
