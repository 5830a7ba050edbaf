"""Recordings as single calls: what is said in one, in its own language or in another."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from loquent.audio.activity import Detector
from loquent.audio.rates import resampled
from loquent.audio.reading import RATE, blocks
from loquent.audio.sound import Sound
from loquent.checkpoints.detectors import fetched_detector
from loquent.lm.lm import LM
from loquent.tasks import interpreting, transcribing, translating
from loquent.tasks.calls import Model, opened
from loquent.tasks.fusion import Fusion
from loquent.tasks.interpreting import Interpreted
from loquent.tasks.speech_decoding import Hearing
from loquent.tasks.transcribing import Transcript


class Transcribing(TypedDict, total=False):
    """The fields of `tasks.speech_decoding.Hearing`; a test holds the two to each other."""

    language: str
    translate: bool
    words: bool
    times: bool
    prompt: str
    hotwords: tuple[str, ...]
    beams: int
    temperatures: tuple[float, ...]
    best_of: int
    most_compression: float
    least_logprob: float
    silence: float
    seed: int
    fusion: Fusion | None


def transcribe(
    sound: str | Path | bytes | Sound,
    *,
    model: Model = None,
    detector: Detector | Literal["auto"] | None = "auto",
    **options: Unpack[Transcribing],
) -> Transcript:
    """What was said in a file, the bytes of one, or samples; with the times of its segments.

    `model` is as in `classify`. `detector` tells speech from everything else: "auto" is Silero's
    network, or the loudness where that cannot be had; None hears everything. Options are the fields
    of `tasks.speech_decoding.Hearing`, errors those of `loquent.tasks.transcribing.transcribe`;
    DataError for what is no sound.
    """
    hearing = Hearing(**options)
    many = hearing.translate or hearing.language.lower() not in ("", "en", "english")
    lm = opened(model, "transcribe", ["de"] if many else [])  # a model of many languages
    return transcribing.transcribe(lm, _blocks(sound), hearing, detector=_ear(detector))


def translate_speech(
    sound: str | Path | bytes | Sound,
    *,
    target: str,
    source: str = "",
    model: Model = None,
    recognizer: Model = None,
    detector: Detector | Literal["auto"] | None = "auto",
    terms: Mapping[str, str] | None = None,
    prefix: str | None = None,
    beams: int = 0,
    most_sentences: int = translating.SENTENCES,
) -> Interpreted:
    """What is said in a file, the bytes of one, or samples, in the language `target`.

    `model` translates the text, as in `classify`; None: to English the recognizer itself where it
    knows many languages, else the catalogue's. `recognizer` hears; None: the catalogue's for
    `source`, or of many languages. `detector` is as in `transcribe`; the other options and errors
    are those of `loquent.tasks.interpreting.Interpreter`. `loquent.speak(made.text)` says it.
    """
    target = translating.code_of(target)
    source = translating.code_of(source) if source else ""
    spoken = interpreting.heard_as(source or "de")  # one of many languages where none is named
    ear = opened(recognizer, "transcribe", [spoken])
    itself = model is None and interpreting.translates_itself(ear, target)

    def translator(language: str) -> LM:
        return opened(model, "translate", [each for each in (language, target) if each])

    interpreter = interpreting.Interpreter(
        ear,
        target,
        source,
        translator=None if itself else translator,
        terms=terms,
        prefix=prefix,
        beams=beams,
        most_sentences=most_sentences,
    )
    heard = interpreter.hear(_blocks(sound), detector=_ear(detector))
    return interpreter.translated(heard)


def _blocks(sound: str | Path | bytes | Sound) -> Sound | Iterable[Sound]:
    """A sound at the rate that recognizers hear, whole or in blocks."""
    if isinstance(sound, Sound):
        return sound if sound.rate == RATE else resampled(sound, RATE)
    return blocks(Path(sound) if isinstance(sound, str) else sound)


def _ear(detector: Detector | Literal["auto"] | None) -> Detector | None:
    return fetched_detector() if detector == "auto" else detector
