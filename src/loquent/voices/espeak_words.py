"""Phonemes by the library espeak-ng, where the optional package espeakng-loader brings it.

The library is free under the GPL, version 3; nothing of it is part of Loquent.
"""

import ctypes
import re
import unicodedata
from collections.abc import Collection
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

from loquent.errors import UserError
from loquent.text.pronouncing import Pronounced

PACKAGE = "espeakng_loader"
_NO_SOUND, _DO_NOT_EXIT = 2, 0x8000  # of espeak_Initialize
_UTF8, _IPA = 1, 2  # of espeak_TextToPhonemes
_MARKS = re.compile(r"([;:,.!?¡¿…—–()\"“”«»、。，！？；：]+)")
_PLAIN = {"…": ".", "—": ",", "–": ",", "、": ",", "。": ".", "，": ",", "！": "!", "？": "?",
          "；": ";", "：": ":"}  # fmt: skip
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")  # "(en)" before a foreign word
_BUSY = Lock()  # the library has one voice for all


class EspeakWords:
    """Words of one language in espeak's phonemes."""

    def __init__(self, voice: str, alphabet: Collection[str]) -> None:
        """Raises UserError without the package, and for a language that espeak does not know."""
        self._voice, self._alphabet = voice, frozenset(alphabet)
        self._library = _opened()
        with _BUSY:
            self._choose()

    def pronounced(self, text: str) -> Pronounced:
        """How a text is said; phonemes that the alphabet lacks are told as unknown."""
        made: list[str] = []
        with _BUSY:
            self._choose()
            for number, part in enumerate(_MARKS.split(text)):
                if number % 2:
                    marks = "".join(_PLAIN.get(each, each) for each in part)
                    made.append("".join(each for each in marks if each in self._alphabet))
                    continue
                said = self._said(part.strip()) if part.strip() else ""
                before = " " if part[:1].isspace() and made else ""
                made.append(before + said + (" " if part[-1:].isspace() and said else ""))
        whole = unicodedata.normalize("NFD", " ".join("".join(made).split()))
        unknown = dict.fromkeys(each for each in whole if each not in self._alphabet)
        kept = "".join(each for each in whole if each in self._alphabet)
        return Pronounced(kept.strip(), (), tuple(unknown))

    def _choose(self) -> None:
        if self._library.espeak_SetVoiceByName(self._voice.encode()) != 0:
            raise UserError(f"espeak knows no language {self._voice!r}.")

    def _said(self, text: str) -> str:
        """Phonemes of words without marks, clause by clause."""
        left = ctypes.c_char_p(text.encode())
        parts: list[str] = []
        while left.value is not None:
            found = self._library.espeak_TextToPhonemes(ctypes.byref(left), _UTF8, _IPA)
            parts.append((found or b"").decode("utf-8", "replace"))
        return _LANGUAGE_SWITCH.sub("", " ".join(parts))


def installed() -> bool:
    """Whether the package is there."""
    return find_spec(PACKAGE) is not None


def _opened() -> Any:
    """The library, ready; raises UserError where it is missing or does not start."""
    try:
        loader = import_module(PACKAGE)
    except ImportError as fault:
        raise UserError(
            "this voice needs the phonemes of espeak-ng.",
            fix="Install it (GPL, version 3) with: pip install 'loquent[espeak]'",
        ) from fault
    library = ctypes.CDLL(loader.get_library_path())
    library.espeak_Initialize.argtypes = (
        ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int,
    )  # fmt: skip
    library.espeak_TextToPhonemes.argtypes = (
        ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int,
    )  # fmt: skip
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    with _BUSY:
        data = loader.get_data_path().encode()
        if library.espeak_Initialize(_NO_SOUND, 0, data, _DO_NOT_EXIT) < 0:
            raise UserError("espeak-ng does not start.", fix="Install espeakng-loader again.")
    return library
