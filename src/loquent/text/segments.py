"""What was said when: parts of a transcript with their times, and the words in them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A word with its times; spaces that stand before it belong to it."""

    start_seconds: float
    end_seconds: float
    text: str
    chance: float | None = None  # how sure the recognizer is of it, where it tells


@dataclass(frozen=True)
class Segment:
    """A part of a transcript, such as a sentence, with its times and, where asked for, words."""

    start_seconds: float
    end_seconds: float
    text: str
    words: tuple[Word, ...] = ()
