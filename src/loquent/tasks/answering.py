"""Questions about a text: by a span of it with its place, or in a model's own words.

Long texts are read in windows that overlap. A model that tells spans may say that the text has no
answer: where the span of its first token is likelier than every other (Devlin et al. 2019, §4.3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from loquent.errors import RequestError, UsageError
from loquent.lm.lm import LM
from loquent.lm.reading import Reading, cannot, reading_length
from loquent.tasks.asking import reader
from loquent.tasks.fitting import checked, readable
from loquent.tasks.wording import worded
from loquent.text.encoding import Truncate, encoded

How = Literal["extractive", "generative"]

OVERLAP = 128  # tokens that neighboring windows share (the "doc stride" of Devlin et al.'s code)
LONGEST = 30  # tokens of a span
_CANDIDATES = 20  # starts and ends that are tried
WINDOWS = 512  # of one text at most
_LEAST_ROOM = 8  # tokens of a window
_SPARE = 8  # tokens by which a window may grow where it begins within a word


@dataclass(frozen=True)
class Answered:
    """An answer and where in the text it stands."""

    text: str  # "" where the text has no answer
    start: int | None  # number of its first character in the text; None where it stands not there
    stop: int | None  # and of the one behind its last
    probability: float | None  # among the spans that were looked at; None for a model's own words
    how: How
    windows: int  # in which the text was read
    overlap: int  # tokens that neighboring windows share
    dropped_tokens: int = 0

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        chance = None if self.probability is None else round(self.probability, 6)
        return {
            "answer": self.text,
            "start": self.start,
            "stop": self.stop,
            "probability": chance,
            "how": self.how,
            "windows": self.windows,
            "overlap": self.overlap,
            "dropped_tokens": self.dropped_tokens,
        }


def answer(
    lm: LM,
    asked: Sequence[tuple[str, str]],
    *,
    overlap: int = OVERLAP,
    longest: int = LONGEST,
    threshold: float = 0.0,
    max_tokens: int = 48,
    most_windows: int = WINDOWS,
    truncate: Truncate | None = None,
) -> list[Answered]:
    """The answer to each question about a text, given as pairs (question, text).

    Of a model that tells spans: one of at most `longest` tokens; none where that the text has no
    answer is likelier by more than `threshold` nats. Other models write up to `max_tokens` tokens.
    Raises RequestError for empty texts, for too long a question, and for a text of over
    `most_windows`, unless `truncate` says which end to drop.
    """
    if overlap < 0 or longest < 1:
        raise UsageError("overlap must be 0 or more, and longest 1 or more.")
    for question, text in asked:
        readable(reader(lm), checked(question, "the question"))
        readable(reader(lm), checked(text))
    output = lm.network.config.output
    if output == "span":
        return [
            _extracted(
                lm,
                each,
                overlap=overlap,
                longest=longest,
                threshold=threshold,
                most_windows=most_windows,
                truncate=truncate,
            )
            for each in asked
        ]
    if output != "token":
        raise cannot(lm.network.config, "answer questions")
    return [_written(lm, question, text, max_tokens, truncate) for question, text in asked]


class _Found(NamedTuple):
    """A span that may be the answer."""

    score: float
    start: int  # characters
    stop: int


def _extracted(
    lm: LM,
    asked: tuple[str, str],
    *,
    overlap: int,
    longest: int,
    threshold: float,
    most_windows: int,
    truncate: Truncate | None,
) -> Answered:
    question, text = asked
    windows, dropped = _windows(lm, question, text, overlap, most=most_windows, truncate=truncate)
    readings = lm.read([(question, text[start:stop]) for start, stop in windows])
    found: list[_Found] = []
    none = np.inf  # of all windows: where one holds an answer, the text has one
    for (start, _), reading in zip(windows, readings, strict=True):
        none = min(none, float(reading.values[0].sum()))
        found += _spans(reading, start, longest)
    if not found or none - max(found).score > threshold:
        chance = _share(none, [each.score for each in found])
        return Answered("", None, None, chance, "extractive", len(windows), overlap, dropped)
    best = max(found, key=lambda each: (each.score, -each.start))
    others = {(each.start, each.stop): each.score for each in found}
    del others[best.start, best.stop]
    chance = _share(best.score, [*others.values(), none])
    return Answered(
        text[best.start : best.stop], best.start, best.stop, chance, "extractive",
        len(windows), overlap, dropped,
    )  # fmt: skip


def _windows(
    lm: LM, question: str, text: str, overlap: int, *, most: int, truncate: Truncate | None
) -> tuple[list[tuple[int, int]], int]:
    """The places (start, stop) of the windows in characters, and how many tokens were dropped."""
    made = lm.tokenizer.encodings([text], special=False)[0]
    limit = reading_length(lm.checkpoint)
    around = len(encoded(lm.tokenizer, [(question, "")])[0].ids)
    room = limit - around - _SPARE if limit else max(len(made.ids), _LEAST_ROOM)
    if room < _LEAST_ROOM:
        raise RequestError(
            f"the question has {around} tokens, but the model reads {limit} at most.",
            fix="Shorten the question.",
        )
    share = min(overlap, room // 2)
    steps = range(0, max(len(made.ids) - share, 1), room - share)
    dropped = 0
    if len(steps) > most:
        if truncate is None:
            raise RequestError(
                f"the text has {len(made.ids)} tokens, which are {len(steps)} windows; "
                f"{most} are read at most.",
                fix="Shorten it, or drop its start or end with truncate 'left' or 'right'.",
            )
        steps = steps[-most:] if truncate == "left" else steps[:most]
        read = steps[-1] + room - steps[0]
        dropped = max(len(made.ids) - read, 0) if truncate == "right" else steps[0]
    places = []
    for first in steps:
        last = min(first + room, len(made.ids)) - 1
        places.append((made.offsets[first][0], made.offsets[last][1]) if last >= first else (0, 0))
    return places, dropped


def _spans(reading: Reading, offset: int, longest: int) -> Iterator[_Found]:
    """The likeliest spans of a window, in characters of the whole text."""
    places = reading.encoding.places
    own = [at for at, place in enumerate(places) if place is not None and place.text == 1]
    if not own:
        return
    logits = reading.values[own].astype(np.float64)  # (T, 2)
    starts, stops = (np.argsort(-logits[:, each], kind="stable")[:_CANDIDATES] for each in (0, 1))
    for first in starts.tolist():
        for last in stops.tolist():
            if first <= last < first + longest:
                begin, end = places[own[first]], places[own[last]]
                if begin is not None and end is not None and begin.start < end.stop:
                    score = float(logits[first, 0] + logits[last, 1])
                    yield _Found(score, offset + begin.start, offset + end.stop)


def _share(score: float, others: Sequence[float]) -> float:
    """The softmax of one score among others."""
    return float(1 / (1 + np.exp(np.minimum(np.array(others) - score, 700.0)).sum()))


def _written(
    lm: LM, question: str, text: str, max_tokens: int, truncate: Truncate | None
) -> Answered:
    told, dropped = worded(lm, question, text, max_tokens, truncate)
    start = _place(told, text)
    stop = None if start is None else start + len(told)
    return Answered(told, start, stop, None, "generative", 1, 0, dropped)


def _place(answer: str, text: str) -> int | None:
    """Where an answer stands in the text, word for word; None where it does not."""
    found = text.find(answer) if answer else -1
    return found if found >= 0 else None
