"""The fields of `Sampling` as keyword arguments, checked by name and type."""

from collections.abc import Mapping
from dataclasses import replace
from os import urandom
from typing import TypedDict

from loquent.engine.request import Sampling
from loquent.errors import UsageError
from loquent.settings import read


class Options(TypedDict, total=False):
    """Each field of `Sampling`; a test holds the two to each other."""

    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float]
    seed: int | None
    n: int
    beams: int
    length_penalty: float
    early_stopping: bool
    logprobs: int | None
    ignore_end: bool


def chosen(sampling: Sampling | None, options: Options) -> Sampling:
    """The sampling that was asked for, with a seed drawn where none was given."""
    if sampling is not None and options:
        raise UsageError(f"give either sampling or {', '.join(sorted(options))}, not both.")
    made = sampling or read(Sampling, options)
    return made if made.seed is not None else replace(made, seed=int.from_bytes(urandom(8)) >> 1)
