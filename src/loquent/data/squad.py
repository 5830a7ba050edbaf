"""Questions about texts in the nested JSON of SQuAD (Rajpurkar et al. 2016): one row a question."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from loquent.data.reading import Reading, Row, Source
from loquent.data.source import decoded, encoding_of, opened
from loquent.errors import DataError

_MOST_BYTES = 1 << 30  # of a file, which is read whole


def is_squad(start: str) -> bool:
    """Whether a JSON text begins as files of SQuAD do."""
    return start.startswith("{") and '"paragraphs"' in start


def read_squad(source: Source, reading: Reading) -> Iterator[Row]:
    """`question`, `context` and `answers` (each with `text` and `answer_start`) of each question.

    A paragraph that is not as it should be is told by its number and left out. Raises DataError for
    a file that is no JSON. All rows are on line 1, since such files have one.
    """
    with opened(source) as file:
        raw = file.read(_MOST_BYTES)
    encoding = encoding_of(raw[: 1 << 16], source)
    text, fault = decoded(raw[encoding.mark :], encoding, source.name, encoding.mark)
    if fault is not None:
        raise fault
    try:
        articles = json.loads(text)["data"]
        paragraphs = [each for article in articles for each in article["paragraphs"]]
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise DataError(
            f"is not as SQuAD's files are: {wrong}.",
            where=source.name,
            fix='They are {"data": [{"paragraphs": [{"context": "…", "qas": […]}]}]}.',
        ) from wrong
    for number, paragraph in enumerate(paragraphs, 1):
        try:
            rows = [_row(paragraph["context"], asked) for asked in paragraph["qas"]]
        except (KeyError, TypeError, AttributeError) as wrong:
            what = f"paragraph {number} is not as it should be: {wrong!r}."
            reading.fault(DataError(what, where=source.name))
            continue
        yield from rows


def _row(context: str, asked: Mapping[str, Any]) -> Row:
    impossible = asked.get("is_impossible") is True
    answers = [] if impossible else asked["answers"]
    return Row(
        {
            "id": asked.get("id", ""),
            "question": asked["question"],
            "context": context,
            "answers": [
                {"text": each["text"], "answer_start": each["answer_start"]} for each in answers
            ],
        },
        1,
    )
