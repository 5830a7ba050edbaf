"""A voice that was trained here (`loquent train --task speak`), spoken in NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loquent.architecture import ModelConfig, SpeechConfig
from loquent.audio.sound import Samples
from loquent.audio.voicing import (
    LEVEL,
    NOISE,
    OCTAVE,
    SPREAD,
    envelope_map,
    hertz_of,
    placed,
)  # fmt: skip
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import CheckpointError, RequestError
from loquent.graphs.elementwise import gelu, sigmoid
from loquent.text.pronouncing import Pronounced, Pronouncer
from loquent.text.tokenizer import Tokenizer
from loquent.voices.layers import Array, Weights
from loquent.voices.lexicons import read_json
from loquent.voices.phoneme_encoder import check_encoder, encoded
from loquent.voices.voice import NOBODY, OURS, Manner
from loquent.voices.waves import Frames, Parts, mixed

CONFIG = "config.json"
_LONGEST = 300  # phonemes
_SILENT = -30.0  # a logarithm that is none
_MOST_FRAMES = 120  # of one phoneme
_EPSILON = 1e-5  # of the norms
# What stands for a mark that was not among what the voice learned.
_MARKS = {"!": ".", "?": ".", "…": ".", ":": ",", ";": ",", "—": ",", "(": ",", ")": ","}


@dataclass
class OwnVoice:
    """Phonemes of English words, as in the recordings of which it was made."""

    name: str
    config: ModelConfig
    weights: Weights
    tokenizer: Tokenizer
    words: Pronouncer | None  # None: what is said are phonemes as they are
    language: str = "en"
    bends_pitch: bool = True
    longest: int = _LONGEST

    @property
    def rate(self) -> int:
        """Samples per second of its sound."""
        return _speech(self.config).rate

    @property
    def phonemes_by(self) -> str:
        """Who tells how words are said."""
        return OURS if self.words else NOBODY

    def pronounced(self, text: str) -> Pronounced:
        """Words in its phonemes; those that it never heard are unknown."""
        found = self.words.pronounced(text) if self.words else Pronounced(text, (), ())
        made, unknown = list[str](), list(found.unknown)
        for each in found.phonemes:
            known = next((one for one in (each, _MARKS.get(each, "")) if self._id(one)), "")
            made.append(known)
            if not known and each.isalnum():
                unknown.append(f"the sound {each}")
        return Pronounced("".join(made), found.guessed, tuple(unknown))

    def said(self, phonemes: str, manner: Manner) -> Samples:
        """Phonemes as sound (N,); raises RequestError for a phoneme that it does not know."""
        unknown = sorted({each for each in phonemes if not self._id(each)})
        if unknown:
            raise RequestError(f"the voice {self.name} has no phoneme {', '.join(unknown)}.")
        if not phonemes.strip():
            return np.zeros(0, np.float32)
        ids = [each for sign in f" {phonemes} " for each in self._id(sign)]
        features = framed(np.array(ids), self.config, self.weights, manner.speed)
        return voiced(features, _speech(self.config), self.weights, manner)

    def _id(self, sign: str) -> list[int]:
        """The one id of a sign; none where it was never met."""
        ids = self.tokenizer.encode(sign, special=False, parse_special=False) if sign else []
        return ids if len(ids) == 1 and ids[0] != self.tokenizer.unknown else []


def framed(ids: Array, config: ModelConfig, weights: Weights, speed: float = 1.0) -> Array:
    """Features (F, bins + 2) of phonemes (T,), the last being the chance of voice."""
    speech, ours = _speech(config), weights.at("speech")
    assert config.encoder is not None
    states = encoded(ids, config.encoder, weights.at("encoder"))
    x = _norm(
        _blocks(_mapped(states, ours.at("enter")), ours.at("text"), speech.text_layers),
        ours.at("text_norm"),
    )
    guess = _norm(_blocks(x, ours.at("guess"), speech.guess_layers), ours.at("guess_norm"))
    told = _mapped(guess, ours.at("guesses"))
    lasting = np.clip(np.expm1(told[:, 0].astype(np.float64)), 0, _MOST_FRAMES) / speed
    ends = np.round(np.cumsum(lasting)).astype(np.int64)
    durations = np.diff(np.maximum(ends, 1), prepend=0)
    tokens, places = placed(durations)
    x = x + _mapped(told[:, 1:], ours.at("told"))
    y = x[tokens] + _mapped(places.astype(x.dtype), ours.at("place"))
    y = _norm(_blocks(y, ours.at("frame"), speech.frame_layers), ours.at("frame_norm"))
    made = _mapped(y, ours.at("features"))
    made[:, -1] = sigmoid(made[:, -1])
    return made


def filters_of(features: Array, speech: SpeechConfig, ours: Weights) -> tuple[Array, Array]:
    """Logarithms (F, size / 2 + 1) of how loud pulses and noise are in frames of features."""
    x = _mapped(_neighbours(features), ours.at("heard"))
    x = _norm(_blocks(x, ours.at("wave"), speech.wave_layers), ours.at("wave_norm"))
    made = _mapped(x, ours.at("spectrum"))
    mel = features[:, : speech.bins] * x.dtype.type(SPREAD) + x.dtype.type(LEVEL)
    envelope = mel @ envelope_map(speech.bins, speech.rate, speech.size).T.astype(x.dtype)
    loud = made[:, : speech.frequencies] + envelope - x.dtype.type(np.log(speech.size / 4))
    return loud, made[:, speech.frequencies :] + envelope - x.dtype.type(NOISE)


def voiced(features: Array, speech: SpeechConfig, weights: Weights, manner: Manner) -> Samples:
    """The wave (F · hop,) of features (F, bins + 2)."""
    bent = features.copy()
    bent[:, speech.bins] += np.float32(OCTAVE * np.log2(manner.pitch))
    loud, noise = filters_of(bent, speech, weights.at("speech"))
    none = np.zeros_like(loud)
    parts = Parts(loud, none, noise, none + _SILENT, none, hertz_of(bent[:, speech.bins]))
    frames = Frames(speech.size, speech.hop, speech.rate)
    return np.asarray(mixed(parts, frames, np.random.default_rng(manner.seed)), np.float32)


def is_own(folder: Path) -> bool:
    """Whether a folder holds a voice that was trained here."""
    if not (folder / CONFIG).is_file():
        return False
    return bool(read_json(folder / CONFIG, dict[str, Any]).get("output") == "speech")


def open_own(folder: Path, name: str, words: Pronouncer | None) -> OwnVoice:
    """The voice of a folder; raises CheckpointError where something is missing or another."""
    found = Checkpoint.open(folder)
    if found.tokenizer is None:
        raise CheckpointError("has no phonemes (tokenizer.json).", where=str(folder))
    assert found.config.encoder is not None
    check_encoder(found.config.encoder)
    values: Mapping[str, Array] = {
        each: np.asarray(found.weights[each], np.float32) for each in found.weights
    }
    return OwnVoice(name, found.config, Weights(values), found.tokenizer, words)


def _speech(config: ModelConfig) -> SpeechConfig:
    assert config.speech is not None
    return config.speech


def _blocks(x: Array, weights: Weights, layers: int) -> Array:
    """Three neighbours side by side, an inner map and back, added: (T, W) → (T, W)."""
    for number in range(layers):
        block = weights.at(number)
        inner = gelu(_mapped(_neighbours(_norm(x, block.at("norm"))), block.at("up")))
        x = x + _mapped(inner, block.at("down"))
    return x


def _neighbours(x: Array) -> Array:
    wide = np.pad(x, ((1, 1), (0, 0)))
    return np.concatenate([wide[:-2], x, wide[2:]], 1)


def _mapped(x: Array, weights: Weights) -> Array:
    return np.asarray(x @ weights["weight"].T + weights["bias"])


def _norm(x: Array, weights: Weights) -> Array:
    """Of each place (Ba et al. 2016, eq. 3)."""
    centered = x - x.mean(1, keepdims=True)
    variance = np.mean(centered * centered, 1, keepdims=True)
    made = centered / np.sqrt(variance + x.dtype.type(_EPSILON))
    return np.asarray(made * weights["weight"] + weights["bias"])
