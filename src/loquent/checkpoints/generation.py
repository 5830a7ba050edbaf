"""How a model's makers mean it to be asked: generation_config.json and its kin in a GGUF file."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct, field

# Theirs → the field of engine.request.Sampling.
_NAMES = {
    "repetition_penalty": "repetition_penalty",
    "length_penalty": "length_penalty",
    "num_beams": "beams",
    "max_new_tokens": "max_tokens",
}
_CHANCE = {"temperature", "top_k", "top_p", "min_p", "typical_p"}  # only where do_sample is true
_GGUF = {
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.penalty_repeat": "repetition_penalty",
}


class Generation(Struct, frozen=True, kw_only=True):
    """Ids by their duty, and how to choose tokens."""

    start: int | None = None  # id that stands before every text
    stop: tuple[int, ...] = ()  # ids that end an answer
    padding: int | None = None
    sampling: Mapping[str, int | float] = field(default_factory=lambda: MappingProxyType({}))
    # fields of engine.request.Sampling with the values that the makers advise


def of_config(values: Mapping[str, Any], config: Mapping[str, Any], vocabulary: int) -> Generation:
    """Read generation_config.json, and config.json where that is silent."""
    both = {**config, **{name: value for name, value in values.items() if value is not None}}
    names = _NAMES | ({name: name for name in _CHANCE} if values.get("do_sample") is True else {})
    return Generation(
        start=_id(both.get("bos_token_id"), vocabulary),
        stop=_ids(both.get("eos_token_id"), vocabulary),
        padding=_id(both.get("pad_token_id"), vocabulary),
        sampling=_numbers(values, names),
    )


def of_gguf(metadata: Mapping[str, Any], vocabulary: int) -> Generation:
    """Read the same from a GGUF file's metadata."""
    ids = [metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    return Generation(
        start=_id(metadata.get("tokenizer.ggml.bos_token_id"), vocabulary),
        stop=_ids(ids, vocabulary),
        padding=_id(metadata.get("tokenizer.ggml.padding_token_id"), vocabulary),
        sampling=_numbers(metadata, _GGUF),
    )


def to_config(generation: Generation) -> dict[str, Any]:
    """The inverse of `of_config`: what generation_config.json is to hold."""
    names = {ours: theirs for theirs, ours in _NAMES.items()} | {name: name for name in _CHANCE}
    values: dict[str, Any] = {
        "bos_token_id": generation.start,
        "eos_token_id": list(generation.stop),
        "pad_token_id": generation.padding,
        **{names[ours]: value for ours, value in generation.sampling.items()},
    }
    if not generation.stop[1:]:
        values["eos_token_id"] = next(iter(generation.stop), None)
    if _CHANCE & generation.sampling.keys():
        values["do_sample"] = True
    return {name: value for name, value in values.items() if value is not None}


def _id(value: Any, vocabulary: int) -> int | None:
    """An id, or None: some files write -1 or an id beyond the vocabulary for "none"."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < vocabulary else None


def _ids(value: Any, vocabulary: int) -> tuple[int, ...]:
    ids = (_id(each, vocabulary) for each in (value if isinstance(value, list) else [value]))
    return tuple(dict.fromkeys(each for each in ids if each is not None))


def _numbers(values: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, float]:
    made: dict[str, float] = {}
    for theirs, ours in names.items():
        value: Any = values.get(theirs)
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if real and math.isfinite(value):
            made[ours] = value
    return MappingProxyType(made)
