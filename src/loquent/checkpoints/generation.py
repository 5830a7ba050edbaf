"""How a model's makers mean it to be asked: generation_config.json and its kin in a GGUF file."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct, field, structs

# Theirs → the field of engine.request.Sampling.
_NAMES = {
    "repetition_penalty": "repetition_penalty",
    "length_penalty": "length_penalty",
    "num_beams": "beams",
    "max_new_tokens": "max_tokens",
}
# The same where a decoder follows an encoder; lengths count the start token there.
_OF_PAIRS = {"min_new_tokens": "min_tokens", "no_repeat_ngram_size": "no_repeat_ngram"}
_FLAGS = {"early_stopping": "early_stopping", "renormalize_logits": "renormalize"}
_LENGTHS = {"max_length": "max_tokens", "min_length": "min_tokens"}
_WHOLE = {"beams", "max_tokens", "min_tokens", "no_repeat_ngram", "top_k"}
# What other settings of theirs mean is not followed here; whoever has them is told.
_OTHERS = (
    "begin_suppress_tokens", "diversity_penalty", "encoder_no_repeat_ngram_size",
    "encoder_repetition_penalty", "epsilon_cutoff", "eta_cutoff",
    "exponential_decay_length_penalty", "force_words_ids", "guidance_scale", "num_beam_groups",
    "penalty_alpha", "sequence_bias", "stop_strings", "suppress_tokens",
)  # fmt: skip
_MULTILINGUAL_WORDS = 51_865
_OF_SPEECH = {"suppress_tokens", "begin_suppress_tokens"}
_CHANCE = {"temperature", "top_k", "top_p", "min_p", "typical_p"}  # only where do_sample is true
_GGUF = {
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.penalty_repeat": "repetition_penalty",
}
_OFF: tuple[object, ...] = (None, 0, 1, 1.0, False, [], {})


class Speech(Struct, frozen=True, kw_only=True):
    """What is particular to writing down what was said (Whisper; Radford et al. 2022)."""

    suppressed: tuple[int, ...] = ()  # ids that are never written: signs that nobody speaks
    suppressed_first: tuple[int, ...] = ()  # ids that no answer begins with
    multilingual: bool = False  # it is told the language, or finds it
    alignment_heads: tuple[tuple[int, int], ...] = ()  # (layer, head) whose attention follows time


class Generation(Struct, frozen=True, kw_only=True):
    """Ids by their duty, and how to choose tokens."""

    start: int | None = None  # id that stands before every text
    stop: tuple[int, ...] = ()  # ids that end an answer
    padding: int | None = None
    decoder_start: int | None = None  # id that a decoder behind an encoder begins with
    forced_first: int | None = None  # id that every answer begins with
    forced_last: int | None = None  # id that ends an answer which has no room for more
    banned: tuple[tuple[int, ...], ...] = ()  # ids in a row that are never written
    sampling: Mapping[str, int | float] = field(default_factory=lambda: MappingProxyType({}))
    # fields of engine.request.Sampling with the values that the makers advise
    speech: Speech | None = None  # of a network that hears
    unread: tuple[str, ...] = ()  # of their advice, what is not followed here
    prefixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # by task, what stands before a text that an encoder reads


def of_config(values: Mapping[str, Any], config: Mapping[str, Any], vocabulary: int) -> Generation:
    """Read generation_config.json, and config.json where that is silent."""
    hears = config.get("model_type") == "whisper"
    both = {**config, **{name: value for name, value in values.items() if value is not None}}
    names = _NAMES | ({name: name for name in _CHANCE} if values.get("do_sample") is True else {})
    made = Generation(
        start=_id(both.get("bos_token_id"), vocabulary),
        stop=_ids(both.get("eos_token_id"), vocabulary),
        padding=_id(both.get("pad_token_id"), vocabulary),
        banned=_sequences(both.get("bad_words_ids"), vocabulary),
        prefixes=_prefixes(config.get("task_specific_params")),
        sampling=MappingProxyType(_numbers(values, names)),
        speech=_speech(both, vocabulary) if hears else None,
        unread=unread_of(values, config),
    )
    if config.get("is_encoder_decoder") is not True:
        return made
    return structs.replace(
        made,
        decoder_start=_id(both.get("decoder_start_token_id"), vocabulary),
        forced_first=_id(both.get("forced_bos_token_id"), vocabulary),
        forced_last=_id(both.get("forced_eos_token_id"), vocabulary),
        sampling=_of_pairs(values or config, names),
    )


def unread_of(values: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the makers advise, there or in an old config.json, that is not followed here."""
    given = values or (config if config.get("is_encoder_decoder") is True else {})
    known = _OF_SPEECH if config.get("model_type") == "whisper" else set()
    never = ("early_stopping",) if given.get("early_stopping") == "never" else ()
    return (
        *(name for name in _OTHERS if given.get(name) not in _OFF and name not in known),
        *never,
    )


def of_gguf(metadata: Mapping[str, Any], vocabulary: int) -> Generation:
    """Read the same from a GGUF file's metadata."""
    ids = [metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    return Generation(
        start=_id(metadata.get("tokenizer.ggml.bos_token_id"), vocabulary),
        stop=_ids(ids, vocabulary),
        padding=_id(metadata.get("tokenizer.ggml.padding_token_id"), vocabulary),
        sampling=MappingProxyType(_numbers(metadata, _GGUF)),
    )


def to_config(generation: Generation) -> dict[str, Any]:
    """The inverse of `of_config`: what generation_config.json is to hold."""
    known = _NAMES | _OF_PAIRS | _FLAGS
    names = {ours: theirs for theirs, ours in known.items()} | {name: name for name in _CHANCE}
    values: dict[str, Any] = {
        "bos_token_id": generation.start,
        "eos_token_id": list(generation.stop),
        "pad_token_id": generation.padding,
        "decoder_start_token_id": generation.decoder_start,
        "forced_bos_token_id": generation.forced_first,
        "forced_eos_token_id": generation.forced_last,
        "bad_words_ids": [list(each) for each in generation.banned] or None,
        **{names[ours]: value for ours, value in generation.sampling.items()},
    }
    if generation.speech is not None:
        speech = generation.speech
        values |= {
            "is_multilingual": speech.multilingual,
            "suppress_tokens": list(speech.suppressed) or None,
            "begin_suppress_tokens": list(speech.suppressed_first) or None,
            "alignment_heads": [list(each) for each in speech.alignment_heads] or None,
        }
    if not generation.stop[1:]:
        values["eos_token_id"] = next(iter(generation.stop), None)
    if _CHANCE & generation.sampling.keys():
        values["do_sample"] = True
    return {name: value for name, value in values.items() if value is not None}


def to_prefixes(generation: Generation) -> dict[str, Any]:
    """What config.json is to hold of `Generation.prefixes`."""
    given = {name: {"prefix": prefix} for name, prefix in generation.prefixes.items()}
    return {"task_specific_params": given} if given else {}


def _prefixes(given: Any) -> Mapping[str, str]:
    made = {
        str(name): str(each["prefix"])
        for name, each in (given.items() if isinstance(given, Mapping) else ())
        if isinstance(each, Mapping) and isinstance(each.get("prefix"), str)
    }
    return MappingProxyType(made)


def _id(value: Any, vocabulary: int) -> int | None:
    """An id, or None: some files write -1 or an id beyond the vocabulary for "none"."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < vocabulary else None


def _ids(value: Any, vocabulary: int) -> tuple[int, ...]:
    ids = (_id(each, vocabulary) for each in (value if isinstance(value, list) else [value]))
    return tuple(dict.fromkeys(each for each in ids if each is not None))


def _speech(values: Mapping[str, Any], vocabulary: int) -> Speech:
    heads, many = values.get("alignment_heads"), values.get("is_multilingual")
    return Speech(
        # in the authors' own files the size of the vocabulary alone tells it
        multilingual=many if isinstance(many, bool) else vocabulary >= _MULTILINGUAL_WORDS,
        suppressed=_ids(values.get("suppress_tokens") or [], vocabulary),
        suppressed_first=_ids(values.get("begin_suppress_tokens") or [], vocabulary),
        alignment_heads=tuple(
            (each[0], each[1])
            for each in (heads if isinstance(heads, list) else [])
            if isinstance(each, list) and len(each) == 2 and all(type(n) is int for n in each)
        ),
    )


def _sequences(value: Any, vocabulary: int) -> tuple[tuple[int, ...], ...]:
    """Lists of ids; a list with anything else in it could never be written anyway."""
    lists = [each for each in value if isinstance(each, list)] if isinstance(value, list) else []
    made = (tuple(_id(id, vocabulary) for id in each) for each in lists if each)
    return tuple(each for each in made if None not in each)  # type: ignore[misc]


def _of_pairs(values: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, float]:
    """Advice for an encoder-decoder; `max_new_tokens` goes before `max_length`."""
    lengths = {
        ours: value - 1
        for theirs, ours in _LENGTHS.items()
        if type(value := values.get(theirs)) is int and value > 1
    }
    flags = {ours: values[theirs] for theirs, ours in _FLAGS.items() if values.get(theirs) is True}
    rules = _numbers(values, {**names, **_OF_PAIRS})
    return MappingProxyType({**lengths, **rules, **flags})


def _numbers(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    made: dict[str, float] = {}
    for theirs, ours in names.items():
        value: Any = values.get(theirs)
        kinds = (int,) if ours in _WHOLE else (int, float)
        real = isinstance(value, kinds) and not isinstance(value, bool)
        if real and math.isfinite(value):
            made[ours] = value
    return made
