"""Words with a tag each, such as names in a text (`B-PERSON`, `I-PERSON`, `O`)."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.data.shapes import Columns
from loquent.errors import DataError
from loquent.tasks.task import Reading, Task, Texts, array, number_of

_NOT_COUNTED = -1


def _normal(record: Record, columns: Columns) -> Record:
    """`tokens` and `tags`, as many of one as of the other; raises DataError."""
    words = _words(record, columns.text or "tokens")
    tags = _words(record, columns.label or "tags")
    if len(words) != len(tags):
        what = f"has {len(words)} words, but {len(tags)} tags."
        raise DataError(what, where=record.where)
    return replace(record, values={"tokens": words, "tags": tags})


def _words(record: Record, name: str) -> Texts:
    value: Any = record.values.get(name)
    if isinstance(value, str):
        return tuple(value.split())
    if not isinstance(value, list | tuple) or not all(
        isinstance(each, str | int) for each in value
    ):
        raise DataError(
            f"{name!r} is no list of words.",
            where=record.where,
            fix='Records are {"tokens": ["Ada", "sings"], "tags": ["B-PERSON", "O"]}.',
        )
    return tuple(map(str, value))


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """The first piece of each word carries its tag; its others are not counted.

    That is how Devlin et al. 2019, §5.3, have it.
    """
    numbers = {name: number for number, name in enumerate(reading.labels)}
    for record in records:
        ids: list[int] = []
        labels: list[int] = []
        for word, tag in zip(record.values["tokens"], record.values["tags"], strict=True):
            text = f" {word}" if ids else word
            pieces = reading.tokenizer.encode(text, special=False, parse_special=False)
            if pieces:
                ids += pieces
                labels += [number_of(numbers, tag, record)]
                labels += [_NOT_COUNTED] * (len(pieces) - 1)
        if ids:
            yield Example(array(ids), labels=array(labels), index=record.index)


def _texts(record: Record) -> tuple[Texts, Texts]:
    return (), (" ".join(record.values["tokens"]),)


def _tags(record: Record) -> Texts:
    tags: Texts = record.values["tags"]
    return tags


TAG = Task(
    name="tag",
    does="tell the tag of each word",
    stacks="encoder",
    output="tags",
    network="lstm",
    order="bucket",
    metrics=("f1", "accuracy", "loss"),
    training={"epochs": 10, "schedule": "linear", "final_rate": 0.0, "warmup": 0.06},
    normal=_normal,
    texts=_texts,
    examples=_examples,
    labels=_tags,
)
