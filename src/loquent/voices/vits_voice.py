"""Voices in Hugging Face's folders of VITS, among them those of a thousand languages (MMS)."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from loquent.audio.sound import Samples
from loquent.checkpoints.families.vits import vits_name, vits_settings
from loquent.checkpoints.files.open import open_container
from loquent.errors import CheckpointError, RequestError
from loquent.text.pronouncing import Pronounced, Pronouncer
from loquent.voices.alphabets import espeak
from loquent.voices.lexicons import read_json
from loquent.voices.vits import Vits
from loquent.voices.voice import NOBODY, OURS, Manner

CONFIG, VOCABULARY, TOKENIZER = "config.json", "vocab.json", "tokenizer_config.json"
_LONGEST = 400  # characters or phonemes
_BLANK = 0
_PARTS = ("text.", "durations.", "flow.", "wave.")
_SHORT = {"eng": "en", "cmn": "zh", "deu": "de", "fra": "fr", "spa": "es"}  # ISO 639-3 to 639-1


class _Tokenizer(msgspec.Struct):
    """What tokenizer_config.json says, as far as it is needed."""

    add_blank: bool = True
    normalize: bool = True
    phonemize: bool = True
    is_uroman: bool = False
    language: str | None = None


@dataclass
class VitsVoice:
    """A voice that reads characters, or phonemes that are made of English words."""

    name: str
    network: Vits
    ids: Mapping[str, int]
    told: _Tokenizer
    words: Pronouncer | None  # None: it reads characters
    bends_pitch: bool = False
    longest: int = _LONGEST

    @property
    def phonemes_by(self) -> str:
        """Who tells how words are said."""
        return OURS if self.words else NOBODY

    @property
    def language(self) -> str:
        """Of the words that it says: ISO 639-1 where there is one, else 639-3."""
        given = self.told.language or ("eng" if self.words else "")
        return _SHORT.get(given, given)

    @property
    def rate(self) -> int:
        """Samples per second of its sound."""
        return self.network.settings.rate

    def pronounced(self, text: str) -> Pronounced:
        """The characters that it reads, or espeak's phonemes, which are made of ours."""
        if self.words is not None:
            found = self.words.pronounced(text)
            made = espeak(found.phonemes, self.ids)
            kept = "".join(each for each in made if each in self.ids)
            return Pronounced(kept, found.guessed, found.unknown)
        made = self._written(text)
        unknown = dict.fromkeys(
            each for each in made if each not in self.ids and unicodedata.category(each)[0] in "LMN"
        )
        kept = "".join(each for each in made if each in self.ids).strip()
        return Pronounced(kept, (), tuple(unknown))

    def _written(self, text: str) -> str:
        """In small letters, but for those that the vocabulary has as they are."""
        if not self.told.normalize:
            return text
        made = "".join(each if each in self.ids else each.lower() for each in text)
        return made.replace("ț", "ţ") if self.told.language == "ron" else made

    def said(self, phonemes: str, manner: Manner) -> Samples:
        """Characters or phonemes as sound (N,); raises RequestError for one that it has not."""
        unknown = sorted(set(phonemes) - set(self.ids))
        if unknown:
            raise RequestError(f"the voice {self.name} has no {', '.join(unknown)}.")
        if not phonemes.strip():
            return np.zeros(0, np.float32)
        ids = [self.ids[each] for each in phonemes]
        if self.told.add_blank:
            ids = [_BLANK, *(each for id in ids for each in (id, _BLANK))]
        noise = np.random.default_rng(manner.seed)
        return np.asarray(self.network.wave(ids, noise, speed=manner.speed), np.float32)


def is_vits(folder: Path) -> bool:
    """Whether a folder holds a network of this family."""
    if not (folder / CONFIG).is_file() or not (folder / VOCABULARY).is_file():
        return False
    found = read_json(folder / CONFIG, dict[str, Any])
    return bool(found.get("model_type") == "vits")


def needs_words(folder: Path) -> bool:
    """Whether it reads phonemes, for which a dictionary is needed."""
    return _tokenizer(folder).phonemize


def open_vits(folder: Path, name: str, words: Pronouncer | None = None) -> VitsVoice:
    """The voice of a folder; raises CheckpointError and ConfigError for what is not executed."""
    told = _tokenizer(folder)
    if told.is_uroman:
        raise CheckpointError(
            "reads its language in Latin letters by the program uroman, which is not used here.",
            where=str(folder / TOKENIZER),
        )
    ids = read_json(folder / VOCABULARY, dict[str, int])
    network = Vits(vits_settings(read_json(folder / CONFIG, dict[str, Any])), weights_of(folder))
    most = network.settings.vocabulary
    if not all(0 <= each < most for each in ids.values()):
        raise CheckpointError(f"has ids beyond {most}.", where=str(folder / VOCABULARY))
    try:  # whether all weights are there and fit together
        network.wave([0, 0], np.random.default_rng(0))
    except (ValueError, IndexError) as fault:
        raise CheckpointError(
            f"has weights that do not fit: {fault}.", where=str(folder)
        ) from fault
    return VitsVoice(name, network, ids, told, words)


def weights_of(folder: Path, kind: type[np.floating[Any]] = np.float32) -> dict[str, NDArray[Any]]:
    """All weights under our names; what is stored as a size and a direction is put together.

    Raises CheckpointError for one that the family does not have.
    """
    container = open_container(folder)
    made: dict[str, NDArray[Any]] = {}
    for foreign in container:
        ours = vits_name(foreign)
        if ours and not ours.startswith(_PARTS):
            raise CheckpointError(f"tensor {foreign} is none of VITS.", where=str(folder))
        if ours:
            made[ours] = np.asarray(container[foreign], kind)
    for name in [each for each in made if each.endswith(".weight.direction")]:
        bare = name.removesuffix(".direction")
        size, direction = made.pop(f"{bare}.size", None), made.pop(name)
        if size is None:
            raise CheckpointError(f"tensor {bare} has no size.", where=str(folder))
        length = np.sqrt(np.square(direction).sum((1, 2), keepdims=True))
        made[bare] = (size * direction / length).astype(kind)  # Salimans and Kingma 2016, eq. 2
    return made


def _tokenizer(folder: Path) -> _Tokenizer:
    path = folder / TOKENIZER
    made: _Tokenizer = read_json(path, _Tokenizer) if path.is_file() else _Tokenizer()
    return made
