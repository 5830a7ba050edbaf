"""Digits as espeak-ng says them: many voices of one synthesizer of formants, as further speakers.

The library comes with the package espeakng-loader (`pip install 'loquent[espeak]'`).
"""

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loquent.audio.rates import resampled
from loquent.audio.sound import Samples, Sound
from loquent.audio.writing import write_sound
from pairs import write
from sounds import DIGITS, RATE, cut

ACCENTS = ("en-us", "en", "en-gb-scotland", "en-us-nyc", "en-gb-x-rp", "en-029", "en-gb-x-gbclan")
FOREIGN = {  # English digits, spelled for readers of other languages
    "de": "siro wann tuh sri for faif siks sewen äit nain",
    "it": "ziro uan tu tri for faiv six seven eit nain",
    "es": "siro uan tu zri for faiv six seven eit nain",
    "nl": "ziero wan toe srie for faif six seven eet nain",
    "el": "ζίρο ουάν του θρι φορ φάιβ σιξ σέβεν έιτ νάιν",
    "ru": "зиро уан ту сри фор файв сикс севен эйт найн",
    "pt": "ziro uan tu tri for faiv six seven eit nain",
    "sv": "siro wann to tri får fajv six seven ejt najn",
    "pl": "ziro łan tu sri for fajw siks sewen ejt najn",
    "hi": "ज़ीरो वन टू थ्री फ़ोर फ़ाइव सिक्स सेवन एट नाइन",
}
LEFT_OUT = (  # that whisper, croak or are robots
    "whisper", "Demonic", "croak", "UniRobot", "Tweaky", "anikaRobot", "fast", "Storm", "robosoft",
)  # fmt: skip
_RATE, _PITCH, _RANGE = 1, 3, 4  # numbers of espeak_SetParameter
_SYNCHRONOUS, _UTF8 = 2, 1
_FULL_SCALE = 2**15


class Formants:
    """The synthesizer."""

    def __init__(self) -> None:
        """Open the library and take what it says in pieces."""
        import espeakng_loader  # noqa: PLC0415  # asked for by this set alone

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        path = espeakng_loader.get_data_path()
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, path.encode(), 0)
        names = sorted(each.name for each in (Path(path) / "voices" / "!v").iterdir())
        self.variants = [name for name in names if not name.startswith(LEFT_OUT)]
        self._said: list[Samples] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._taken = kind(self._take)  # kept: the library calls it
        self._library.espeak_SetSynthCallback(self._taken)

    def _take(self, wave: Any, count: int, _events: int) -> int:
        if wave and count:
            self._said.append(np.ctypeslib.as_array(wave, (count,)).astype(np.float32))
        return 0

    def say(self, text: str, voice: str, *, words: int, pitch: int, span: int) -> Samples:
        """A text by a voice: words a minute, pitch and its span from 0 to 99."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak has no voice {voice!r}.")
        for number, value in ((_RATE, words), (_PITCH, pitch), (_RANGE, span)):
            self._library.espeak_SetParameter(number, value, 0)
        self._said.clear()
        raw = text.encode()
        self._library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._said) / _FULL_SCALE


def espeak_digits(_data: Path, folder: Path) -> None:
    """The digits by each voice in accents of English, at speeds and pitches drawn by chance."""
    _spoken(folder, dict.fromkeys(ACCENTS, DIGITS), times=3, seed=0)


def accent_digits(_data: Path, folder: Path) -> None:
    """The same as people of other languages say them, in the sounds of those."""
    _spoken(folder, {code: tuple(said.split()) for code, said in FOREIGN.items()}, times=2, seed=1)


def _spoken(folder: Path, spellings: Mapping[str, Sequence[str]], *, times: int, seed: int) -> None:
    """Each voice says all digits so many times, each time in a language drawn by chance."""
    random, formants = np.random.default_rng(seed), Formants()
    languages, rows = list(spellings), []
    for time in range(times):
        for number, variant in enumerate(formants.variants):
            language = languages[random.integers(len(languages))]
            pitch = int(random.integers(15, 85))
            for word, spelled in zip(DIGITS, spellings[language], strict=True):
                text = spelled.capitalize() if spelled == word else spelled
                said = formants.say(
                    text + ".?!,"[random.integers(4)],
                    f"{language}+{variant}",
                    words=int(random.integers(110, 220)),
                    pitch=int(np.clip(pitch + random.integers(-10, 10), 0, 99)),
                    span=int(random.integers(20, 90)),
                )
                samples = cut(resampled(Sound(said, formants.rate), RATE).samples)
                samples *= random.uniform(0.2, 0.8) / np.abs(samples).max()
                path = folder / f"{time}_{number}_{word}.wav"
                write_sound(path, Sound(samples, RATE))
                rows.append({"audio": path.name, "text": word, "label": word})
    write(folder / "train.jsonl", rows)
