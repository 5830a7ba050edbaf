"""Questions about texts: the network learns where in a text the answer stands, or that it does not.

Long texts become windows that overlap; in a window without the answer the first token stands for
"no answer", as where a text has none (Devlin et al. 2019, §4.3).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.data.shapes import Columns
from loquent.errors import DataError
from loquent.tasks.task import Reading, Task, Texts, array, text_of
from loquent.text.encoding import Encoding, Place, encoded

_FIX = (
    'Records are {"question": "…", "context": "…", "answers": [{"text": "…", "answer_start": 7}]}.'
)
_LEAST_ROOM = 16  # tokens of the text that stand beside a question in one window


def _normal(record: Record, columns: Columns) -> Record:
    """`question`, `context`, and `answer` as (first character, the one behind its last), or None.

    Raises DataError where one is missing, or where an answer does not stand where it says.
    """
    context = text_of(record, columns.text or columns.source or "context")
    question = text_of(record, columns.prompt or "question")
    found = [_span(record, context, each) for each in answers(record)]
    answer = found[0] if found else None
    return replace(record, values={"question": question, "context": context, "answer": answer})


def answers(record: Record) -> list[tuple[Any, Any]]:
    """The answers of a record with where they start, in any of the usual forms."""
    given = record.values.get("answers")
    if isinstance(given, Mapping):  # columns of a table: {"text": […], "answer_start": […]}
        texts, starts = given.get("text"), given.get("answer_start")
        if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
            return list(zip(texts, starts, strict=True))
    if isinstance(given, list) and all(isinstance(each, Mapping) for each in given):
        return [(each.get("text"), each.get("answer_start")) for each in given]
    if given is None and "answer_start" in record.values:
        text, start = record.values.get("answer"), record.values["answer_start"]
        return [] if start in (None, -1) else [(text, start)]
    what = "has no answers." if given is None else "'answers' is not as it should be."
    raise DataError(what, where=record.where, fix=_FIX)


def _span(record: Record, context: str, answer: tuple[Any, Any]) -> tuple[int, int]:
    text, start = answer
    if not isinstance(text, str) or not text or not isinstance(start, int) or start < 0:
        raise DataError(f"an answer is {answer!r:.60}.", where=record.where, fix=_FIX)
    if context[start : start + len(text)] != text:
        at = context.find(text)
        fix = f"It stands at {at}." if at >= 0 else "The text does not hold it."
        what = f"the answer {text!r:.40} does not stand at character {start}."
        raise DataError(what, where=record.where, fix=fix)
    return start, start + len(text)


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """Each window of a question and its text, with the first and the last token of the answer."""
    for record in records:
        question, context = text_of(record, "question"), text_of(record, "context")
        answer: tuple[int, int] | None = record.values["answer"]
        for start, stop in _windows(reading, question, context):
            made = encoded(reading.tokenizer, [(question, context[start:stop])])[0]
            labels = _labels(made, answer, start)
            yield Example(
                array(made.ids),
                segments=array(made.segments),
                labels=array(labels),
                index=record.index,
            )


def _windows(reading: Reading, question: str, context: str) -> Iterator[tuple[int, int]]:
    """The characters of each window: one where all fits, else they share a quarter."""
    whole = encoded(reading.tokenizer, [(question, context)])[0]
    places = [each for each in whole.places if each is not None and each.text == 1]
    room = reading.length - (len(whole.ids) - len(places))
    if not reading.length or len(whole.ids) <= reading.length or room < _LEAST_ROOM:
        yield 0, len(context)
        return
    room -= room // 16  # a window may have more tokens where it begins within a word
    share = room // 4
    for first in range(0, max(len(places) - share, 1), room - share):
        yield places[first].start, places[min(first + room, len(places)) - 1].stop


def _labels(made: Encoding, answer: tuple[int, int] | None, start: int) -> tuple[int, int]:
    """The first and the last token of the answer; twice the first of all where it is not here."""
    if answer is None:
        return 0, 0
    own = [
        (at, place) for at, place in enumerate(made.places) if place is not None and place.text == 1
    ]
    held = [at for at, place in own if _meets(place, answer, start)]
    if not held:
        return 0, 0
    first, last = made.places[held[0]], made.places[held[-1]]
    assert first is not None and last is not None
    whole = first.start + start <= answer[0] and last.stop + start >= answer[1]
    return (held[0], held[-1]) if whole else (0, 0)


def _meets(place: Place, answer: tuple[int, int], start: int) -> bool:
    """Whether a token has a character of the answer."""
    return place.start + start < answer[1] and answer[0] < place.stop + start


def _texts(record: Record) -> tuple[Texts, Texts]:
    return (), (text_of(record, "question"), text_of(record, "context"))


SPAN = Task(
    name="span",
    does="find where in a text the answer to a question stands",
    stacks="encoder",
    output="span",
    network="transformer",
    order="bucket",
    metrics=("accuracy", "loss"),
    batch=16,
    training={"epochs": 2, "schedule": "linear", "final_rate": 0.0, "warmup": 0.1},
    normal=_normal,
    texts=_texts,
    examples=_examples,
)
