"""What a voice is: words become phonemes, and phonemes become sound."""

from dataclasses import dataclass
from typing import Protocol

from loquent.audio.sound import Samples
from loquent.text.pronouncing import Pronounced

OURS, ESPEAK, NOBODY = "our dictionary", "espeak-ng", "characters as they are"


@dataclass(frozen=True)
class Manner:
    """How something is said."""

    speed: float = 1.0  # 2: in half of the time
    pitch: float = 1.0  # 2: an octave higher
    seed: int = 0  # of what is random in a voice


class Voice(Protocol):
    """All that is known of a voice by those who let it speak."""

    @property
    def name(self) -> str:
        """What it was opened as."""

    @property
    def language(self) -> str:
        """Of the words that it says: ISO 639-1."""

    @property
    def rate(self) -> int:
        """Samples per second of its sound."""

    @property
    def phonemes_by(self) -> str:
        """Who tells how words are said, for people."""

    @property
    def bends_pitch(self) -> bool:
        """Whether it can speak higher or lower."""

    @property
    def longest(self) -> int:
        """How many phonemes it says at once."""

    def pronounced(self, text: str) -> Pronounced:
        """Words in its phonemes."""

    def said(self, phonemes: str, manner: Manner) -> Samples:
        """Phonemes as sound (N,); raises RequestError for a phoneme that it does not know."""
