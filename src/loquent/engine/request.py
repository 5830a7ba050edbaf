"""What is asked of the engine, and what it tells: ids and numbers, no text."""

from __future__ import annotations  # NumPy is not imported for them: commands need the options

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from loquent.errors import ConfigError, UserError, together

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float32]

Finish = Literal["stop", "length", "cancelled", "error"]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen; checked when made, all faults at once."""

    max_tokens: int = 256
    temperature: float = 0.8  # 0: always the most likely token
    top_k: int = 0  # the k most likely tokens only; 0: all
    top_p: float = 0.95  # the smallest set with this probability (Holtzman et al. 2020)
    min_p: float = 0.0  # tokens at least this share as likely as the likeliest (Nguyen et al. 2024)
    typical_p: float = 1.0  # tokens of about expected surprise (Meister et al. 2023)
    repetition_penalty: float = 1.0  # divides positive logits of seen tokens (Keskar et al. 2019)
    presence_penalty: float = 0.0  # subtracted from the logits of tokens generated before
    frequency_penalty: float = 0.0  # the same, for each time that they were generated
    logit_bias: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    seed: int | None = None  # None: a new one, told in the answer
    n: int = 1  # answers to one prompt
    beams: int = 1  # width of beam search; above 1 nothing is drawn by chance
    length_penalty: float = 1.0  # beam search: scores are divided by length ** penalty
    early_stopping: bool = False  # beam search: stop at `beams` finished answers
    renormalize: bool = False  # scores and log-probabilities are of those that may be written
    min_tokens: int = 0  # before an answer may end
    no_repeat_ngram: int = 0  # so many tokens in a row are written once only; 0: off
    banned: tuple[tuple[int, ...], ...] = ()  # ids in a row that are never written
    forced_first: int | None = None  # id that every answer begins with
    forced_last: int | None = None  # id that ends an answer which has no room for more
    logprobs: int | None = None  # log-probabilities with this many alternatives; None: without
    ignore_end: bool = False  # go on past the end token, up to max_tokens

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        rules = (
            (1 <= self.max_tokens <= 2**24, "max_tokens", "from 1 to 16777216"),
            (0 <= self.temperature <= 100, "temperature", "from 0 (greedy) to 100"),
            (0 <= self.top_k <= 2**31, "top_k", "0 (all) or more"),
            (0 < self.top_p <= 1, "top_p", "above 0, up to 1"),
            (0 <= self.min_p <= 1, "min_p", "from 0 to 1"),
            (0 < self.typical_p <= 1, "typical_p", "above 0, up to 1"),
            (0 < self.repetition_penalty <= 100, "repetition_penalty", "above 0, up to 100"),
            (-100 <= self.presence_penalty <= 100, "presence_penalty", "from -100 to 100"),
            (-100 <= self.frequency_penalty <= 100, "frequency_penalty", "from -100 to 100"),
            (self.seed is None or 0 <= self.seed < 2**63, "seed", "from 0 to 2**63 - 1"),
            (1 <= self.n <= 128, "n", "from 1 to 128"),
            (1 <= self.beams <= 128, "beams", "from 1 to 128"),
            (self.n <= self.beams or self.beams == 1, "n", "at most beams in a beam search"),
            (isfinite(self.length_penalty), "length_penalty", "a finite number"),
            (0 <= self.min_tokens <= 2**24, "min_tokens", "from 0 to 16777216"),
            (0 <= self.no_repeat_ngram <= 2**24, "no_repeat_ngram", "from 0 (off) to 16777216"),
            (all(self.banned), "banned", "sequences of one id at least"),
            (self.logprobs is None or 0 <= self.logprobs <= 100, "logprobs", "from 0 to 100"),
            (
                all(-1000 <= bias <= 1000 for bias in self.logit_bias.values()),
                "logit_bias",
                "from -1000 to 1000 for each token",
            ),
        )
        faults = [
            ConfigError(f"must be {allowed}, not {getattr(self, name)!r}.", where=name)
            for holds, name, allowed in rules
            if not holds
        ]
        if faults:
            raise together(ConfigError, faults)


class Rule(Protocol):
    """What may follow in the answers to one request."""

    def __call__(
        self, scores: NDArray[np.floating], written: Sequence[int]
    ) -> NDArray[np.floating]:
        """Scores (V,) of the next token, minus infinity for what may not follow `written`."""


@dataclass(frozen=True)
class Alignment:
    """What heads of a decoder look at in its source is asked for, behind a finished answer.

    The decoder reads once more: `start`, the first ids of the answer, `then`, all others of it that
    are below `below`, and `end`.
    """

    heads: tuple[tuple[int, int], ...]  # (layer, head) each
    start: tuple[int, ...]
    firsts: int  # ids of the answer that are no words of it
    then: tuple[int, ...]
    below: int
    end: int

    def ids(self, written: Sequence[int]) -> list[int]:
        """What the decoder reads."""
        first, rest = written[: self.firsts], written[self.firsts :]
        words = (each for each in rest if each < self.below)
        return [*self.start, *first, *self.then, *words, self.end]


@dataclass(frozen=True, eq=False)
class Request:
    """One prompt on its way through the engine."""

    ids: list[int]  # the prompt; for an encoder-decoder what the decoder starts with
    sampling: Sampling
    stop: frozenset[int] = frozenset()  # ids that end an answer
    source: list[int] | Values | None = None  # what the encoder reads: ids, or features (F, frames)
    rule: Rule | None = None  # what may follow in its answers, beside what sampling says
    watched: tuple[int, ...] = ()  # ids whose log-probability as the first token is told
    alignment: Alignment | None = None

    @property
    def named(self) -> list[int]:
        """Every id of the decoder that the request names."""
        sampling = self.sampling
        forced = (sampling.forced_first, sampling.forced_last)
        return [
            *self.ids,
            *self.stop,
            *self.watched,
            *sampling.logit_bias,
            *(each for ids in sampling.banned for each in ids),
            *(each for each in forced if each is not None),
        ]

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end an answer here: none where the end is ignored."""
        return frozenset() if self.sampling.ignore_end else self.stop


@dataclass(frozen=True)
class Choice:
    """One token as it was chosen; where asked for, its log-probability and the likeliest ones'."""

    id: int
    logprob: float | None = None  # at temperature 1, before any penalty; -9999.0 for impossible
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Event:
    """News of a request: one more token of one of its answers, or its end, or both."""

    request: Request
    index: int  # which of the request's n answers
    choice: Choice | None
    finish: Finish | None = None
    error: UserError | None = None  # where finish is "error"
    shared: int = 0  # with a request's first token: those of its prompt that were read before
    drafted: int = 0  # with the first token of a step: those that were guessed
    accepted: int = 0  # 1 for a token that was guessed right
    watched: tuple[float, ...] = ()  # with a first token: log-probabilities of Request.watched
    attention: Values | None = None  # at the end: what heads looked at, (heads, T, M)
