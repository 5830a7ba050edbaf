"""How a sound is written down, what came of a window of it, and when that is taken for nothing."""

import zlib
from dataclasses import dataclass

from loquent.engine.network import Values
from loquent.errors import UsageError
from loquent.tasks.fusion import Fusion
from loquent.tasks.speech_windows import Window


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """How a sound is written down."""

    language: str = ""  # code or English name; "": found by listening
    translate: bool = False  # to English
    words: bool = False  # with the times of words
    times: bool = True  # False: a window is one segment
    prompt: str = ""  # text of the same kind, as if it had come before
    hotwords: tuple[str, ...] = ()  # names and words that are likely to be said
    beams: int = 1  # width of the search at first; later attempts draw by chance
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of one attempt each
    best_of: int = 5  # texts that are drawn by chance, of which the likeliest is taken
    most_compression: float = 2.4  # text that compresses better repeats itself: the next attempt
    least_logprob: float = -1.0  # of a token at the mean; below: the next attempt
    silence: float = 0.6  # chance of silence from which on an unlikely text is none
    seed: int = 0
    fusion: Fusion | None = None  # a language model that has its say (CTC)

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not self.temperatures or min(self.temperatures) < 0:
            raise UsageError("temperatures must be numbers from 0 on, one at least.")
        if self.beams < 1 or self.best_of < 1:
            raise UsageError("beams and best_of must be at least 1.")


@dataclass(frozen=True)
class Decoded:
    """What was written of a window."""

    window: Window
    ids: list[int]  # of text and times
    logprobs: list[float]  # of each
    language: str  # code; "" where the network knows one only
    language_chance: float
    silence: float  # chance that nobody speaks
    mean_logprob: float
    compression: float
    attempts: int
    whole: bool  # False: there was no room for the end
    attention: Values | None  # (heads, before + text + 1, states), where words are asked for
    before: int = 0  # its rows before the text

    @property
    def empty(self) -> bool:
        """Whether nothing was said."""
        return not self.ids


def compression(text: str) -> float:
    """How many times shorter a text becomes by zlib: high where it repeats itself."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def silent(made: Decoded, hearing: Hearing) -> bool:
    """Whether what was written of a window is taken for nothing."""
    return made.silence > hearing.silence and made.mean_logprob < hearing.least_logprob
