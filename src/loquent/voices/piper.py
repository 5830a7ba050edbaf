"""Voices of Piper: VITS (Kim et al. 2021) as one graph from phonemes to a wave."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from loquent.audio.sound import Samples
from loquent.checkpoints.files.onnx_program import open_program
from loquent.errors import CheckpointError, RequestError
from loquent.graphs.runner import Runner
from loquent.text.pronouncing import Pronounced, Pronouncer
from loquent.voices.alphabets import espeak
from loquent.voices.espeak_words import EspeakWords
from loquent.voices.lexicons import pronouncer, read_json
from loquent.voices.spectral import VOCABULARY
from loquent.voices.voice import ESPEAK, OURS, Manner

_START, _END, _PAD = "^", "$", "_"
_LONGEST = 400  # phonemes


class _Audio(msgspec.Struct):
    sample_rate: int


class _Espeak(msgspec.Struct):
    voice: str


class _Inference(msgspec.Struct):
    noise_scale: float
    length_scale: float
    noise_w: float


class _Settings(msgspec.Struct):
    """What a voice's .onnx.json says, as far as it is needed."""

    audio: _Audio
    espeak: _Espeak
    inference: _Inference
    phoneme_id_map: dict[str, list[int]]
    num_speakers: int = 1


class Words(Protocol):
    """Who says how words are said, in espeak's alphabet."""

    def pronounced(self, text: str) -> Pronounced:
        """A text in phonemes."""


@dataclass
class OurWords:
    """English by our dictionary, in espeak's alphabet."""

    words: Pronouncer
    alphabet: Collection[str]

    def pronounced(self, text: str) -> Pronounced:
        """A text in phonemes."""
        found = self.words.pronounced(text)
        made = espeak(found.phonemes, self.alphabet)
        return Pronounced(made, found.guessed, found.unknown)


@dataclass
class PiperVoice:
    """A voice of Piper; how long a sound lasts and how it is said are drawn anew by the seed."""

    name: str
    runner: Runner
    settings: _Settings
    words: Words
    bends_pitch: bool = False
    longest: int = _LONGEST

    @property
    def phonemes_by(self) -> str:
        """Who tells how words are said."""
        return OURS if isinstance(self.words, OurWords) else ESPEAK

    @property
    def language(self) -> str:
        """Of the words that it says: ISO 639-1."""
        code = self.settings.espeak.voice.partition("-")[0]
        return {"cmn": "zh"}.get(code, code)

    @property
    def rate(self) -> int:
        """Samples per second of its sound."""
        return self.settings.audio.sample_rate

    def pronounced(self, text: str) -> Pronounced:
        """Words in espeak's phonemes."""
        return self.words.pronounced(text)

    def said(self, phonemes: str, manner: Manner) -> Samples:
        """Phonemes as sound (N,); raises RequestError for a phoneme that it does not know."""
        known = self.settings.phoneme_id_map
        unknown = sorted(set(phonemes) - set(known))
        if unknown:
            raise RequestError(f"the voice {self.name} has no phoneme {', '.join(unknown)}.")
        if not phonemes.strip():
            return np.zeros(0, np.float32)
        ids = list(known[_START])
        for each in phonemes:
            ids += [*known[each], *known[_PAD]]
        ids += known[_END]
        inference = self.settings.inference
        scales = (inference.noise_scale, inference.length_scale / manner.speed, inference.noise_w)
        made = self.runner.run(
            {
                "input": np.array([ids], np.int64),
                "input_lengths": np.array([len(ids)], np.int64),
                "scales": np.array(scales, np.float32),
            },
            np.random.default_rng(manner.seed),
        )
        (wave,) = made.values()
        return np.asarray(wave.reshape(-1), np.float32)


def is_piper(folder: Path) -> bool:
    """Whether a folder holds one graph with its settings beside it."""
    return len(list(folder.glob("*.onnx"))) == 1 and len(list(folder.glob("*.onnx.json"))) == 1


def speaks_english(folder: Path) -> bool:
    """Whether our dictionary serves the voice of a folder."""
    return _settings(folder).espeak.voice.startswith("en")


def open_piper(folder: Path, name: str, words: Path | None) -> PiperVoice:
    """The voice of a folder, with the dictionaries of the folder `words`; None: by espeak-ng.

    Raises CheckpointError where its settings are others, and UserError without espeak-ng.
    """
    (network,) = folder.glob("*.onnx")
    settings = _settings(folder)
    known = settings.phoneme_id_map
    if words is None:
        said: Words = EspeakWords(settings.espeak.voice, known)
    else:
        alphabet = list(read_json(words / VOCABULARY, dict[str, int]))
        said = OurWords(pronouncer(words, alphabet), known)
    return PiperVoice(name, Runner(open_program(network)), settings, said)


def _settings(folder: Path) -> _Settings:
    (described,) = folder.glob("*.onnx.json")
    settings: _Settings = read_json(described, _Settings)
    if settings.num_speakers != 1:
        raise CheckpointError(
            f"has {settings.num_speakers} voices; one is executed.", where=str(described)
        )
    missing = [each for each in (_START, _END, _PAD) if each not in settings.phoneme_id_map]
    if missing:
        raise CheckpointError(f"has no ids for {' '.join(missing)}.", where=str(described))
    return settings
