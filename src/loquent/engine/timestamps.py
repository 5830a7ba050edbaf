"""What may follow in the transcript of a sound: text between times that never go back.

The rules are those of Whisper's authors (Radford et al. 2022, §4.5, and their released code): times
come in pairs around each part of the text, the first one is early, and where all times together are
likelier than any word, a time is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.engine.sampling import Scores

_LONGEST_LOOP = 16  # tokens of a pattern that may not go on for ever
_LOOP_TOKENS = 16  # that a pattern must have filled before it counts as a loop
_LOOP_TIMES = 4  # that it must have been written


@dataclass(frozen=True, eq=False, kw_only=True)
class TimestampRule:
    """What may be written next, as `engine.request.Rule` has it."""

    begins: tuple[tuple[int, ...], ...]  # the ids of which one stands at each of the first places
    suppressed: NDArray[np.intp]  # ids that are never written
    suppressed_first: NDArray[np.intp]  # ids that the text does not begin with
    end: int  # id that ends the transcript; words have lower ids, and signs higher ones
    first_time: int  # id of time 0; later times follow
    times: bool  # False: the text has no times
    latest_start: int = 50  # times after 0 that the first one may have, in steps of 20 ms

    def __call__(self, scores: Scores, written: Sequence[int]) -> Scores:
        """Scores (V,) of the next token, minus infinity for what may not follow `written`."""
        place = len(written) - len(self.begins)
        if place < 0:
            made = np.full_like(scores, -np.inf)
            allowed = list(self.begins[len(written)])
            made[allowed] = scores[allowed]
            return made
        made = scores.copy()
        made[self.suppressed] = -np.inf
        text = written[len(self.begins) :]
        if not text:
            made[self.suppressed_first] = -np.inf
        looped = repeating(text)
        if looped is not None:
            made[looped] = -np.inf
        if self.times:
            self._time(made, text)
        else:
            made[self.first_time :] = -np.inf
        return made

    def _time(self, made: Scores, text: Sequence[int]) -> None:
        """Let times come in pairs and in order, and early at first."""
        first = self.first_time
        if not text:
            made[:first] = -np.inf
            made[first + self.latest_start + 1 :] = -np.inf
            return
        last = text[-1] >= first
        paired = len(text) < 2 or text[-2] >= first
        if last and paired:
            made[first:] = -np.inf
        elif last:
            made[: self.end] = -np.inf
        before = max((each for each in text if each >= first), default=first)
        made[first : before if last and not paired else before + 1] = -np.inf
        if _total(made[first:]) > made[:first].max():
            made[:first] = -np.inf


def repeating(text: Sequence[int]) -> int | None:
    """The id that would go on with a pattern that has been repeated for too long, if there is one.

    A pattern of up to 16 ids counts that stands at the end four times, and fills 16 ids.
    """
    for period in range(1, min(_LONGEST_LOOP, len(text) // _LOOP_TIMES) + 1):
        times = max(_LOOP_TIMES, -(-_LOOP_TOKENS // period))
        size = period * times
        if size <= len(text):
            end = text[-size:]
            if end[period:] == end[:-period]:
                return int(end[-period])
    return None


def _total(scores: Scores) -> float:
    """The logarithm of the sum of exponentials."""
    best = float(scores.max(initial=-np.inf))
    if best == -np.inf:
        return best
    return best + float(np.log(np.exp(scores - best).sum(dtype=np.float64)))
