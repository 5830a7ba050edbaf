"""Loquent, hearing and speaking."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loquent
from loquent.audio.sound import Sound
from loquent.checkpoints import hub
from loquent.checkpoints.detectors import SILERO, open_silero
from loquent.tasks.speech_settings import Hearing
from loquent.tasks.transcribing import transcribe
from loquent.voices.opening import open_voice
from loquent.voices.speaking import stream
from loquent.voices.voice import Manner

BITS = {"int8": 8, "f32": 32}


class Ear:
    """Whisper in the native runtime; the number of threads is LOQUENT_THREADS."""

    def __init__(self, files: Path, variant: str, threads: int, batch: int) -> None:
        del threads
        path = files / "ctranslate2"
        self.lm = loquent.open(path, bits=BITS[variant], rows=batch, draft=None)  # type: ignore[arg-type]
        self.language = "" if files.name.endswith(".en") else "en"
        self.detector = open_silero(hub.resolve(SILERO))

    def hear(self, samples: Any) -> str:
        """By its own cutter, greedily at first, with times."""
        hearing = Hearing(language=self.language)
        sound = Sound(samples, 16_000)
        return transcribe(self.lm, sound, hearing, detector=self.detector).text


class Mouth:
    """A voice."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        del files, threads
        self.voice = open_voice(variant)
        self.rate = self.voice.rate

    def pieces(self, text: str) -> Iterator[Any]:
        """Sentence by sentence, the first one divided."""
        for piece in stream(self.voice, text, manner=Manner(), early=True):
            yield piece.samples
