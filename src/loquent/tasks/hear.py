"""Sounds: what is said in them as a text, or which command it is."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loquent.audio.features import frames_of
from loquent.audio.reading import read_sound
from loquent.audio.sources import SoundLimits
from loquent.data.example import Example
from loquent.data.hearing import stored
from loquent.data.reading import Record
from loquent.data.shapes import Columns, label
from loquent.errors import DataError
from loquent.tasks.task import Reading, Task, Texts, array, number_of, text_of

_LONGEST = SoundLimits(seconds=120.0)  # of one example; longer recordings are cut in parts before
_TRAINING = {"epochs": 30, "schedule": "cosine", "final_rate": 0.0, "warmup": 0.05}
_TEXTS = ("text", "sentence", "transcript", "transcription", "normalized_text", "label")
_LABELS = ("label", "command", "word", "class", "text")


def said(record: Record, columns: Columns) -> Record:
    """`audio` and `text`; raises DataError where nothing says what is said."""
    return _with(record, columns.text, _TEXTS, "text")


def _commanded(record: Record, columns: Columns) -> Record:
    """`audio` and `label`; raises DataError where there is none."""
    made = _with(record, columns.label, _LABELS, "label")
    return replace(made, values={**made.values, "label": label(made.values["label"])})


def _with(record: Record, column: str, usual: Texts, name: str) -> Record:
    found = [column] if column else [each for each in usual if each in record.values]
    if not found or found[0] not in record.values:
        told = ", ".join(repr(str(each)) for each in record.values)
        raise DataError(
            f"has no column {column or usual[0]!r}.", where=record.where, fix=f"It has {told}."
        )
    return replace(record, values={"audio": record.values["audio"], name: record.values[found[0]]})


def _transcripts(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """Labels are the ids of the text; the padding's stands for the blank of CTC."""
    for record in records:
        text = text_of(record, "text").strip()
        ids = reading.tokenizer.encode(text, special=False, parse_special=False)
        sound, frames = heard(record, reading)
        assert reading.front is not None
        repeats = sum(one == other for one, other in pairwise(ids))
        states = reading.front.states(frames)
        if states < len(ids) + repeats:
            raise DataError(
                f"the sound makes {states} states, too few for the {len(ids)} pieces of its text.",
                where=record.where,
                fix="Is the text of another sound? Leave the record out.",
            )
        if ids:
            yield Example(
                array([]), labels=array(ids), sound=sound, frames=frames, index=record.index
            )


def _commands(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    numbers = {name: number for number, name in enumerate(reading.labels)}
    for record in records:
        labels = array([number_of(numbers, name, record) for name in _label(record)])
        sound, frames = heard(record, reading)
        yield Example(array([]), labels=labels, sound=sound, frames=frames, index=record.index)


def heard(record: Record, reading: Reading) -> tuple[NDArray[np.int16], int]:
    """The samples of a record, and how many frames come of them."""
    assert reading.front is not None
    made = samples_of(record, reading.front.rate)
    return made, frames_of(len(made), reading.front)


def samples_of(record: Record, rate: int) -> NDArray[np.int16]:
    """The samples (N,) of a record as a store holds them; raises DataError with its place."""
    try:
        sound = read_sound(Path(text_of(record, "audio")), rate, _LONGEST)
    except DataError as fault:
        raise DataError(str(fault), where=record.where) from fault
    return stored(sound.samples)


def _label(record: Record) -> Texts:
    found = record.values["label"]
    if not isinstance(found, str):
        raise DataError(f"has {len(found)} labels, where one is learned.", where=record.where)
    return (found,)


TRANSCRIBE = Task(
    name="transcribe",
    does="write down what is said in a sound",
    stacks="encoder",
    output="ctc",
    network="lstm",
    order="bucket",
    metrics=("wer", "cer", "accuracy", "loss"),
    training=_TRAINING,
    hears=True,
    pieces="char",
    normal=said,
    texts=lambda record: ((), (text_of(record, "text").strip(),)),
    examples=_transcripts,
)

COMMAND = Task(
    name="command",
    does="tell which command is said in a sound",
    stacks="encoder",
    output="class",
    network="conv",
    order="bucket",
    metrics=("accuracy", "f1", "loss"),
    training=_TRAINING,
    hears=True,
    pieces="char",
    normal=_commanded,
    texts=lambda record: ((), _label(record)),
    examples=_commands,
    labels=_label,
)
