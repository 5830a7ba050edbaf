"""What may not be written next, and what must be: rules that hold whatever a network finds likely.

As transformers has them: repeated n-grams (Paulus et al. 2018, §2.5), banned sequences, ends that
come too early, and last a token that is forced, which overrides the others.
"""

from collections.abc import Sequence

import numpy as np

from loquent.engine.request import Request
from loquent.engine.sampling import Scores


def ruled(scores: Scores, request: Request, written: Sequence[int], most: int) -> Scores:
    """Scores (V,) of the next tokens, minus infinity for what may not follow `written`.

    `most` is how many tokens the answer may have. A forced token has the score 0, whose probability
    as a logarithm is 1.
    """
    forced = _forced(request, len(written), most)
    if forced is not None:
        made = np.full_like(scores, -np.inf)
        made[forced] = 0.0
        return made
    if request.rule is not None:
        scores = request.rule(scores, written)
    banned = _banned(request, written)
    if not banned:
        return scores
    made = scores.copy()
    made[list(banned)] = -np.inf
    return made


def _forced(request: Request, place: int, most: int) -> int | None:
    sampling = request.sampling
    if place + 1 == most and sampling.forced_last is not None and not sampling.ignore_end:
        return sampling.forced_last
    return sampling.forced_first if place == 0 else None


def _banned(request: Request, written: Sequence[int]) -> set[int]:
    sampling = request.sampling
    banned = set(request.ends) if len(written) < sampling.min_tokens else set()
    if not sampling.banned and not sampling.no_repeat_ngram:
        return banned
    read = [*request.ids, *written]
    for *before, last in sampling.banned:
        if not before or read[-len(before) :] == before:
            banned.add(last)
    return banned | _repeated(read, sampling.no_repeat_ngram)


def _repeated(read: list[int], size: int) -> set[int]:
    """The ids that would end a run of `size` tokens which stands in `read` already."""
    if not 0 < size <= len(read):
        return set()
    last = read[len(read) - size + 1 :]
    starts = range(len(read) - size + 1)
    return {read[at + size - 1] for at in starts if read[at : at + size - 1] == last}
