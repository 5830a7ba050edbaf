"""Beam search: the best few sequences are continued side by side, as transformers does it.

Each step keeps the best continuations of all beams together. Those that end among the best `beams`
are answers, ranked by log-probability / length ** penalty (Wu et al. 2016, §7, in the simple form).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loquent.engine.network import Logits
from loquent.engine.request import Choice, Finish, Request
from loquent.engine.rules import ruled
from loquent.engine.sampling import (
    Scores,
    check_possible,
    describe,
    largest,
    log_softmax,
    penalized,
)
from loquent.errors import RequestError
from loquent.native import leading

Found = tuple[Scores, NDArray[np.integer]]  # scores and their tokens
_DAMAGED = "the network gave no finite logits: its weights are damaged."


@dataclass
class Beam:
    """One sequence: what was written and its log-probability."""

    score: float = 0.0
    choices: list[Choice] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """The tokens."""
        return [choice.id for choice in self.choices]


@dataclass(frozen=True)
class Finished:
    """An answer, with the score by which it is ranked."""

    score: float
    choices: list[Choice]
    finish: Finish


class BeamSearch:
    """The search for the answers to one request."""

    def __init__(self, request: Request, max_tokens: int) -> None:
        self.request = request
        self.max_tokens = max_tokens
        self.beams = [Beam()]
        self.finished: list[Finished] = []
        self.done = False

    def advance(self, logits: Logits) -> list[int]:
        """Take the logits (beams, V) of all beams; gives for each new beam that which it continues.

        Raises RequestError where the logits are not numbers.
        """
        sampling, length = self.request.sampling, len(self.beams[0].choices) + 1
        origins: list[int] = []
        running: list[Beam] = []
        ended: list[Finished] = []
        for rank, (score, origin, token) in enumerate(self._candidates(logits)):
            stops = token in self.request.ends
            if not stops and length < self.max_tokens:
                if len(running) < sampling.beams:
                    running.append(self._longer(logits, origin, token, score))
                    origins.append(origin)
            elif rank < sampling.beams:
                beam = self._longer(logits, origin, token, score)
                ranked = score / length**sampling.length_penalty
                ended.append(Finished(ranked, beam.choices, "stop" if stops else "length"))
        both = self.finished + ended
        self.finished = sorted(both, key=lambda each: -each.score)[: sampling.beams]
        self.beams = running
        self.done = not running or not self._may_improve(length)
        return origins

    def _candidates(self, logits: Logits) -> list[tuple[float, int, int]]:
        """(score, beam, token) of the best continuations, enough for `beams` that go on."""
        wanted = max(2, 1 + len(self.request.ends)) * self.request.sampling.beams
        found = self._found(logits, wanted)
        scores = np.concatenate([each for each, _ in found])
        tokens = np.concatenate([each for _, each in found])
        origins = np.repeat(np.arange(len(found)), [len(each) for each, _ in found])
        best = np.argsort(-scores, kind="stable")[:wanted]
        if not self.finished:
            check_possible(float(scores[best[0]]))
        best = best[np.isfinite(scores[best])]  # what the rules forbid is no candidate
        return [(float(scores[each]), int(origins[each]), int(tokens[each])) for each in best]

    def _found(self, logits: Logits, wanted: int) -> list[Found]:
        """What of each beam is best, in the order of the tokens where it is equal.

        Logits that nothing weighs are in the order of log-probabilities, which are then computed of
        the best few alone.
        """
        found: dict[int, Found] = {}
        plain = [number for number, row in enumerate(logits) if self._plain(row, number)]
        if plain and logits.dtype == np.float32:
            tokens, values, totals = leading(
                logits if len(plain) == len(logits) else logits[plain], wanted
            )
            if not np.isfinite(totals).all():
                raise RequestError(_DAMAGED)
            for number, own, best, total in zip(plain, tokens, values, totals, strict=True):
                scores = self.beams[number].score + (best.astype(np.float64) - total)
                found[number] = scores, own
        return [
            found.get(number) or self._weighed(row, number, wanted)
            for number, row in enumerate(logits)
        ]

    def _plain(self, row: Logits, number: int) -> bool:
        """Whether nothing weighs the logits of a beam."""
        if self.request.rule is not None or self.request.sampling.renormalize:
            return False
        return self._scores(row, self.beams[number].ids) is row

    def _weighed(self, row: Logits, number: int, wanted: int) -> Found:
        """The best of log-probabilities that penalties and rules may change."""
        if not np.isfinite(row.max()):
            raise RequestError(_DAMAGED)
        beam = self.beams[number]
        allowed = beam.score + self._scores(log_softmax(row), beam.ids)
        tokens = np.flatnonzero(allowed >= largest(allowed, wanted))
        return allowed[tokens], tokens

    def _scores(self, logprobs: Scores, ids: list[int]) -> Scores:
        """Log-probabilities (V,) of the next token after penalties and rules."""
        request = self.request
        weighed = penalized(logprobs, request.sampling, request.ids, _counts(ids))
        allowed = ruled(weighed, request, ids, self.max_tokens)
        return log_softmax(allowed) if request.sampling.renormalize else allowed

    def _longer(self, logits: Logits, origin: int, token: int, score: float) -> Beam:
        scores, ids = logits[origin], self.beams[origin].ids
        if self.request.sampling.renormalize:
            scores = self._scores(log_softmax(scores), ids)
        choice = describe(scores, token, self.request.sampling.logprobs)
        return Beam(score, [*self.beams[origin].choices, choice])

    def _may_improve(self, length: int) -> bool:
        sampling = self.request.sampling
        if len(self.finished) < sampling.beams:
            return True
        best = self.beams[0].score / length**sampling.length_penalty
        return not sampling.early_stopping and best > self.finished[-1].score


def _counts(ids: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for each in ids:
        counts[each] = counts.get(each, 0) + 1
    return counts
