"""Speech of texts: sentence by sentence, each as soon as it is made, with pauses between them."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from loquent.audio.sound import Samples, Sound
from loquent.audio.writing import writer
from loquent.blas import one_thread
from loquent.errors import RequestError, UsageError
from loquent.native import thread_count
from loquent.text.sentences import Span, paragraphs, sentences, shorter
from loquent.text.spoken import Reading, Spoken
from loquent.text.spoken_chinese import spoken_chinese
from loquent.text.spoken_english import spoken_english
from loquent.voices.opening import DEFAULT, open_voice
from loquent.voices.silence import silence, trimmed
from loquent.voices.voice import Manner, Voice

SPEEDS, PITCHES = (0.25, 4.0), (0.5, 2.0)
PAUSE_SECONDS = 0.35  # between sentences; as much again between paragraphs, none within a sentence
FIRST_CHARACTERS = 60  # of what is said first, where that is to be heard early
_END_SECONDS = 0.1
_SPOKEN = {"en": spoken_english, "zh": spoken_chinese}
_SHOWN = 10
_MOST_AT_ONCE = 2  # sentences that are made at once, where there are as many processors


@dataclass(frozen=True)
class Piece:
    """A sentence, or a part of a long one, and how it is said."""

    text: str  # as it was given
    said: str  # in words
    phonemes: str
    readings: tuple[Reading, ...]  # what of it was not written in words
    guessed: tuple[str, ...]  # words that no dictionary has
    skipped: tuple[str, ...]  # what cannot be said, where that was allowed
    samples: Samples = field(repr=False)  # (N,), with the pause before it


@dataclass(frozen=True)
class Speech:
    """A text as sound, and how that came about."""

    sound: Sound
    pieces: tuple[Piece, ...]
    voice: Voice = field(repr=False)
    took_seconds: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.sound.seconds

    @property
    def real_time_factor(self) -> float:
        """How long it took for a second of it."""
        return self.took_seconds / self.seconds if self.seconds else 0.0

    def save(self, path: Path | str, format: str | None = None) -> None:
        """Write it: .wav, .flac, .ogg or .mp3; raises UsageError and DataError."""
        with writer(Path(path), self.sound.rate, format) as file:
            file.write(self.sound.samples)

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON, without the sound."""
        return account(self.pieces, self.seconds, self.took_seconds, self.voice)


def account(
    pieces: Sequence[Piece], seconds: float, took_seconds: float, voice: Voice
) -> dict[str, Any]:
    """How pieces of a text were said, for JSON; their sound is not needed any more."""
    return {
        "seconds": round(seconds, 3),
        "real_time_factor": round(took_seconds / seconds if seconds else 0.0, 4),
        "voice": voice.name,
        "rate": voice.rate,
        "phonemes_by": voice.phonemes_by,
        "said": " ".join(each.said for each in pieces),
        "phonemes": " ".join(each.phonemes for each in pieces),
        "readings": [read.plain() for each in pieces for read in each.readings],
        "guessed": [word for each in pieces for word in each.guessed],
        "skipped": [word for each in pieces for word in each.skipped],
    }


def speak(
    text: str,
    *,
    voice: str | Path | Voice = DEFAULT,
    speed: float = 1.0,
    pitch: float = 1.0,
    seed: int = 0,
    pause_seconds: float = PAUSE_SECONDS,
    skip_unknown: bool = False,
) -> Speech:
    """A text as speech, by a voice of the catalogue, of a folder, or one that is open already.

    Errors are those of `stream`.
    """
    opened = open_voice(str(voice)) if isinstance(voice, str | Path) else voice
    manner = Manner(speed, pitch, seed)
    started = time.perf_counter()
    pieces = tuple(
        stream(opened, text, manner=manner, pause_seconds=pause_seconds, skip_unknown=skip_unknown)
    )
    return gathered(opened, pieces, time.perf_counter() - started)


def ending(voice: Voice) -> Samples:
    """The silence behind the last sentence (N,)."""
    return silence(_END_SECONDS, voice.rate)


def gathered(voice: Voice, pieces: Sequence[Piece], took_seconds: float) -> Speech:
    """Pieces behind each other as one."""
    parts = [each.samples for each in pieces]
    sound = Sound(np.concatenate([*parts, ending(voice)]), voice.rate)
    return Speech(sound, tuple(pieces), voice, took_seconds)


def stream(
    voice: Voice,
    text: str,
    *,
    manner: Manner,
    pause_seconds: float = PAUSE_SECONDS,
    skip_unknown: bool = False,
    early: bool = False,
) -> Iterator[Piece]:
    """Sentence by sentence, each as soon as it is made; `early` divides a long first one.

    While one is heard the next ones are made.

    Raises RequestError for an empty text, for what cannot be said unless `skip_unknown`, and for a
    pitch that the voice cannot bend; UsageError for a speed, pitch or pause out of bounds.
    """
    check(voice, manner, pause_seconds)
    if not text.strip():
        raise RequestError("the text is empty.", fix="Give some words.")
    parts = _timed(voice, text, pause_seconds, skip_unknown=skip_unknown, early=early)
    workers = min(thread_count(), _MOST_AT_ONCE)
    pool = ThreadPoolExecutor(workers)
    waiting: deque[tuple[Piece, float, Future[Samples]]] = deque()
    try:
        for part, seconds in parts:
            waiting.append((part, seconds, pool.submit(_said, voice, part.phonemes, manner)))
            if len(waiting) > workers:
                yield _made(voice, manner, *waiting.popleft())
        while waiting:
            yield _made(voice, manner, *waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _said(voice: Voice, phonemes: str, manner: Manner) -> Samples:
    """On one thread, as others are made beside it."""
    with one_thread():
        return voice.said(phonemes, manner)


def _made(
    voice: Voice, manner: Manner, part: Piece, seconds: float, said: Future[Samples]
) -> Piece:
    """A piece with its sound, when that is there, and the pause before it."""
    wave = trimmed(said.result(), voice.rate)
    samples = np.concatenate([silence(seconds / manner.speed, voice.rate), wave])
    return replace(part, samples=samples)


def _timed(
    voice: Voice, text: str, pause_seconds: float, *, skip_unknown: bool, early: bool
) -> Iterator[tuple[Piece, float]]:
    """All pieces, without their sound, and the seconds of silence before each."""
    started = False
    for span, pause in _spans(text, pause_seconds, early=early):
        for part, within in _fitting(voice, text, span, skip_unknown=skip_unknown):
            yield part, (0.0 if within else pause) if started else _END_SECONDS
            started = True


def check(voice: Voice, manner: Manner, pause_seconds: float = PAUSE_SECONDS) -> None:
    """Raise UsageError and RequestError for what `stream` refuses beside texts."""
    for name, value, (low, high) in (
        ("speed", manner.speed, SPEEDS),
        ("pitch", manner.pitch, PITCHES),
        ("pause", pause_seconds, (0.0, 10.0)),
    ):
        if not low <= value <= high:
            raise UsageError(f"a {name} of {value:g} is not from {low:g} to {high:g}.")
    if manner.pitch != 1 and not voice.bends_pitch:
        raise RequestError(
            f"the voice {voice.name} cannot speak higher or lower.",
            fix=f"Leave the pitch as it is, or choose the voice {DEFAULT}.",
        )


def _spans(text: str, pause_seconds: float, *, early: bool) -> Iterator[tuple[Span, float]]:
    """What is said at once, and the pause before it."""
    starts = {each.start for each in paragraphs(text)}
    for number, span in enumerate(sentences(text)):
        pause = pause_seconds * (2 if span.start in starts else 1)
        parts = [span]
        while early and not number and parts[0].end - parts[0].start > FIRST_CHARACTERS:
            halves = shorter(text, parts[0])
            if halves is None:
                break
            parts[:1] = halves
        for place, part in enumerate(parts):
            yield part, 0.0 if place else pause


def _fitting(
    voice: Voice, text: str, span: Span, *, skip_unknown: bool, within: bool = False
) -> Iterator[tuple[Piece, bool]]:
    """A span, divided where the voice cannot say it at once; whether it goes on a sentence."""
    made = _read(voice, span.of(text), skip_unknown=skip_unknown)
    halves = shorter(text, span) if len(made.phonemes) > voice.longest else None
    if halves is None:
        if any(each.isalnum() for each in made.phonemes):
            yield made, within
        return
    for place, half in enumerate(halves):
        yield from _fitting(
            voice, text, half, skip_unknown=skip_unknown, within=within or place > 0
        )


def _as_written(text: str) -> Spoken:
    """Of languages without rules here; a voice names figures that it cannot say."""
    return Spoken(text, ())


def _read(voice: Voice, text: str, *, skip_unknown: bool) -> Piece:
    """Text to words to phonemes."""
    flat = " ".join(text.split())
    spoken = _SPOKEN.get(voice.language, _as_written)(flat)
    found = voice.pronounced(spoken.text)
    if found.unknown and not skip_unknown:
        shown = ", ".join(dict.fromkeys(found.unknown[:_SHOWN]))
        raise RequestError(
            f"the voice {voice.name} cannot say {shown} in {flat[:80]!r}.",
            fix="Write it in words of its language, or let it be skipped (--skip-unknown).",
        )
    nothing = np.zeros(0, np.float32)
    return Piece(
        text, spoken.text, found.phonemes, spoken.readings, found.guessed, found.unknown, nothing
    )
