"""Texts, or pairs of texts, that belong to one class each, or have any number of labels."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.data.shapes import Columns, kind_of, label, normal
from loquent.errors import DataError
from loquent.tasks.task import Reading, Task, Texts, array, number_of, text_of
from loquent.text.encoding import encoded

_TRAINING = {"epochs": 10, "schedule": "linear", "final_rate": 0.0, "warmup": 0.06}


def _normal(record: Record, columns: Columns) -> Record:
    """`text` or `source` and `target`, and `label`; raises DataError where one is missing."""
    kind = kind_of(record, columns)
    made = normal(record, columns)
    if kind == "label":
        return made
    name = columns.label or "label"
    if kind != "pair" or name not in record.values:
        what = f"is a record of the kind {kind!r}, which has no label."
        raise DataError(what, where=record.where, fix="Name its column: data.label.")
    return replace(made, values={**made.values, "label": label(record.values[name])})


def _read(record: Record) -> Texts:
    """The text of a record, or its two."""
    if "source" in record.values:
        return text_of(record, "source"), text_of(record, "target")
    return (text_of(record, "text"),)


def _classes(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    numbers = {name: number for number, name in enumerate(reading.labels)}
    for record in records:
        (name,) = _class(record)
        labels = array([number_of(numbers, name, record)])
        yield _example(reading, record, labels)


def _sets(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    numbers = {name: number for number, name in enumerate(reading.labels)}
    for record in records:
        flags = np.zeros(len(numbers), np.int32)
        flags[[number_of(numbers, name, record) for name in _labels(record)]] = 1
        yield _example(reading, record, flags)


def _example(reading: Reading, record: Record, labels: NDArray[np.int32]) -> Example:
    first, *second = _read(record)
    made = encoded(reading.tokenizer, [(first, second[0]) if second else first])[0]
    segments = array(made.segments) if second else None
    return Example(array(made.ids), segments=segments, labels=labels, index=record.index)


def _texts(record: Record) -> tuple[Texts, Texts]:
    return (), _read(record)


def _class(record: Record) -> Texts:
    found = record.values["label"]
    if not isinstance(found, str):
        what = f"has {len(found)} labels, where one class is learned."
        raise DataError(what, where=record.where, fix="The task 'labels' learns several.")
    return (found,)


def _labels(record: Record) -> Texts:
    found = record.values["label"]
    return (found,) if isinstance(found, str) else tuple(found)


CLASSIFY = Task(
    name="classify",
    does="tell the class of a text or a pair of texts",
    stacks="encoder",
    output="class",
    network="lstm",
    order="bucket",
    metrics=("accuracy", "f1", "loss"),
    training=_TRAINING,
    normal=_normal,
    texts=_texts,
    examples=_classes,
    labels=_class,
)

LABELS = Task(
    name="labels",
    does="tell which of several labels a text has, none or all",
    stacks="encoder",
    output="labels",
    network="lstm",
    order="bucket",
    metrics=("f1", "accuracy", "loss"),
    training=_TRAINING,
    normal=_normal,
    texts=_texts,
    examples=_sets,
    labels=_labels,
)
