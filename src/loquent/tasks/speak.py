"""Recordings of a voice, and how it says the phonemes of what is said in them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from loquent.architecture import SpeechConfig
from loquent.audio.sound import Samples
from loquent.audio.voicing import pitches
from loquent.data.example import Example
from loquent.data.hearing import SCALE
from loquent.data.reading import Record
from loquent.data.shapes import Columns
from loquent.errors import DataError
from loquent.tasks.hear import heard, said, samples_of
from loquent.tasks.task import Reading, Task, array, text_of
from loquent.text.pronouncing import Pronouncer
from loquent.text.spoken_english import spoken_english
from loquent.voices.opening import english

_TRAINING = {
    "epochs": 60,
    "rate": 2e-3,
    "betas": (0.9, 0.98),
    "weight_decay": 0.01,
    "schedule": "cosine",
    "final_rate": 0.02,
    "warmup": 0.02,
}


def _pronounced(record: Record, columns: Columns) -> Record:
    """`audio` and `phonemes`, as they are given or of English words.

    Raises DataError for words that cannot be said.
    """
    if "phonemes" in record.values:
        return _with(record, text_of(record, "phonemes"))
    record = said(record, columns)
    text = text_of(record, "text").strip()
    found = _words().pronounced(spoken_english(" ".join(text.split())).text)
    if found.unknown or not any(each.isalnum() for each in found.phonemes):
        told = ", ".join(dict.fromkeys(found.unknown)) or "nothing"
        raise DataError(
            f"there are no phonemes for {told} in {text[:80]!r}.",
            where=record.where,
            fix="Write it in English words, or leave the record out.",
        )
    return _with(record, found.phonemes)


def _with(record: Record, phonemes: str) -> Record:
    """Between spaces, to which the silence before and behind belongs."""
    flat = " ".join(phonemes.split())
    return replace(record, values={"audio": record.values["audio"], "phonemes": f" {flat} "})


@cache
def _words() -> Pronouncer:
    """Opened once: each record is asked for several times."""
    return english()


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """Labels are the frames of each phoneme, and behind them the pitch of each frame."""
    voice, aligner = reading.voice, reading.aligner
    assert voice is not None
    assert aligner is not None
    for record in records:
        phonemes = text_of(record, "phonemes")
        ids = reading.tokenizer.encode(phonemes, special=False, parse_special=False)
        sound, count = heard(record, reading)
        samples = np.asarray(sound / SCALE, np.float32)
        frames = len(samples) // voice.hop
        if frames < sum(map(str.isalnum, phonemes)) or len(ids) != len(phonemes):
            raise DataError(
                f"the sound of {len(samples) / voice.rate:.1f} s is too short for its text.",
                where=record.where,
                fix="Is the text of another sound? Leave the record out.",
            )
        places = np.round(aligner().ends(phonemes, samples) * voice.rate / voice.hop).astype(int)
        places = np.append(np.minimum(places[:-1], frames), frames)
        durations = np.diff(places, prepend=0).tolist()
        labels = array([*durations, *pitches(samples, voice.rate, voice.hop).tolist()])
        yield Example(array(ids), labels=labels, sound=sound, frames=count, index=record.index)


def spoken_pairs(records: Iterable[Record], voice: SpeechConfig) -> Iterator[tuple[str, Samples]]:
    """Phonemes and samples of each record."""
    for record in records:
        sound = samples_of(record, voice.rate)
        yield text_of(record, "phonemes"), np.asarray(sound / SCALE, np.float32)


SPEAK = Task(
    name="speak",
    does="speak as in recordings with their texts",
    stacks="encoder",
    output="speech",
    network="transformer",
    order="bucket",
    metrics=("loss",),
    batch=4,
    training=_TRAINING,
    hears=True,
    speaks=True,
    pieces="char",
    normal=_pronounced,
    texts=lambda record: ((), (text_of(record, "phonemes"),)),
    examples=_examples,
)
