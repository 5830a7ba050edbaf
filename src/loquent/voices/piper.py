"""Voices of Piper: VITS (Kim et al. 2021) as one graph from phonemes to a wave."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from loquent.audio.sound import Samples
from loquent.checkpoints.files.onnx_program import open_program
from loquent.errors import CheckpointError, RequestError
from loquent.graphs.runner import Runner
from loquent.text.pronouncing import Pronounced, Pronouncer
from loquent.voices.alphabets import espeak
from loquent.voices.lexicons import pronouncer, read_json
from loquent.voices.spectral import VOCABULARY
from loquent.voices.voice import Manner

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


@dataclass
class PiperVoice:
    """A voice of Piper; how long a sound lasts and how it is said are drawn anew by the seed."""

    name: str
    runner: Runner
    settings: _Settings
    words: Pronouncer
    language: str = "en"
    bends_pitch: bool = False
    longest: int = _LONGEST

    @property
    def rate(self) -> int:
        """Samples per second of its sound."""
        return self.settings.audio.sample_rate

    def pronounced(self, text: str) -> Pronounced:
        """Words in espeak's phonemes, which are made of ours."""
        found = self.words.pronounced(text)
        made = espeak(found.phonemes, self.settings.phoneme_id_map)
        return Pronounced(made, found.guessed, found.unknown)

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


def open_piper(folder: Path, name: str, words: Path) -> PiperVoice:
    """The voice of a folder, with the dictionaries of the folder `words`.

    Raises CheckpointError where its settings are others, or its language is not English.
    """
    (network,) = folder.glob("*.onnx")
    (described,) = folder.glob("*.onnx.json")
    settings: _Settings = read_json(described, _Settings)
    if not settings.espeak.voice.startswith("en") or settings.num_speakers != 1:
        raise CheckpointError(
            f"speaks {settings.espeak.voice!r} with {settings.num_speakers} voices; one voice of "
            "English is executed.",
            where=str(described),
        )
    missing = [each for each in (_START, _END, _PAD) if each not in settings.phoneme_id_map]
    if missing:
        raise CheckpointError(f"has no ids for {' '.join(missing)}.", where=str(described))
    alphabet = read_json(words / VOCABULARY, dict[str, int])
    return PiperVoice(
        name, Runner(open_program(network)), settings, pronouncer(words, list(alphabet))
    )
