"""Sounds written down token by token, as a recognizer such as Whisper learns it further."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from loquent.checkpoints.contents import Contents
from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.errors import ConfigError, DataError, UsageError
from loquent.metrics import in_language
from loquent.tasks.hear import TRANSCRIBE, heard
from loquent.tasks.speech_tokens import STEP_SECONDS, SpeechTokens, speech_tokens
from loquent.tasks.task import Reading, Task, array, text_of


def signs_of(origin: Contents, language: str) -> SpeechTokens:
    """The signs of a recognizer that is tuned; raises ConfigError where it cannot be told so."""
    signs = speech_tokens(origin)
    if signs.languages and not language:
        raise ConfigError(
            "the model knows many languages: which one is spoken is to be said.",
            where=origin.card.name,
            fix="Set start.language (--language), such as en.",
        )
    if not signs.languages and language.lower() not in ("", "en", "english"):
        raise ConfigError(f"the model knows English only, not {language!r}.")
    try:
        signs.begins(language)
    except UsageError as fault:
        raise ConfigError(str(fault)) from fault
    return signs


def dictated(language: str) -> Task:
    """The task of a recognizer of a language: it is judged by what it writes."""
    named = [in_language(name, language or "en").name for name in ("wer-normalized", "wer", "cer")]
    return replace(
        TRANSCRIBE, stacks="both", output="token", metrics=(*named, "loss"), examples=_written
    )


def _written(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    """Behind the signs that begin a transcript its text and end are learned.

    Every second one is between the times at which the sound begins and ends, as half of what such
    networks are first taught is (Radford et al. 2022, §2.3), so that they go on to know both. Times
    are no targets where sounds are varied in a way that changes them.
    """
    signs = reading.speech
    assert signs is not None
    assert reading.front is not None
    begins, seconds = signs.begins(reading.language), reading.front.frame_seconds
    for record in records:
        text = text_of(record, "text").strip()
        words = reading.tokenizer.encode(f" {text}", special=False, parse_special=False)
        sound, frames = heard(record, reading)
        if frames > reading.frames:
            raise DataError(
                f"the sound lasts {frames * seconds:.1f} s, but the network hears "
                f"{reading.frames * seconds:.0f} s at most.",
                where=record.where,
                fix="Cut it into parts, each with its text.",
            )
        timed = record.index % 2 == 1
        last = signs.first_time + math.ceil(frames * seconds / STEP_SECONDS)
        between = [signs.first_time, *words, last] if timed else [signs.plain, *words]
        ids = array([*begins, *between, signs.end])
        if reading.room and len(ids) > reading.room + 1:
            raise DataError(
                f"the text has {len(words)} tokens, too many for the {reading.room} of the model.",
                where=record.where,
            )
        learned = np.arange(len(ids)) >= len(begins) + (not timed)
        if reading.moved:
            learned &= ids < signs.first_time
        if words:
            yield Example(ids, learned=learned, sound=sound, frames=frames, index=record.index)
