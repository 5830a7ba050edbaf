"""The fields of `Sampling` as keyword arguments, checked by name and type."""

from collections.abc import Mapping
from dataclasses import replace
from os import urandom
from types import MappingProxyType
from typing import Any, TypedDict

from loquent.engine.request import Sampling
from loquent.errors import UsageError
from loquent.settings import read

_NOTHING: Mapping[str, Any] = MappingProxyType({})


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
    renormalize: bool
    min_tokens: int
    no_repeat_ngram: int
    banned: tuple[tuple[int, ...], ...]
    forced_first: int | None
    forced_last: int | None
    logprobs: int | None
    ignore_end: bool


_OF_CHANCE = ("temperature", "top_k", "top_p", "min_p", "typical_p")


def chosen(
    sampling: Sampling | None, options: Options, advised: Mapping[str, Any] = _NOTHING
) -> Sampling:
    """The sampling that was asked for, with a seed drawn where none was given.

    `advised` stands for what neither says. Who asks for chance is given it: then no search of beams
    is advised; who asks for more answers than beams is given as many beams.
    """
    if sampling is not None and options:
        raise UsageError(f"give either sampling or {', '.join(sorted(options))}, not both.")
    made = sampling or read(Sampling, {**_fitting(advised, options), **options})
    return made if made.seed is not None else replace(made, seed=int.from_bytes(urandom(8)) >> 1)


def _fitting(advised: Mapping[str, Any], options: Options) -> dict[str, Any]:
    made = dict(advised)
    if any(options.get(name) for name in _OF_CHANCE):
        made.pop("beams", None)
    if made.get("beams", 1) > 1:
        made["beams"] = max(made["beams"], options.get("n", 1))
    return made
