"""How a model of several languages is told from which to which: in words, or by tokens of its own.

T5 reads it in words before the text. Marian's translators into several languages read `>>de<<`
there, and mBART's begin every answer with a token such as `de_DE` (Tang et al. 2020, mBART-50).
"""

from typing import NamedTuple

from loquent.errors import RequestError
from loquent.lm.lm import LM
from loquent.tasks.asking import Manner, reader
from loquent.text.encoding import encoded
from loquent.text.languages import NAMES
from loquent.text.tokenizer import Tokenizer

# mBART's tokens that are neither xx_XX nor xx_YY with the same letters twice.
_REGIONS = {"ar": "AR", "cs": "CZ", "he": "IL", "hi": "IN", "ko": "KR", "sv": "SE", "uk": "UA",
            "zh": "CN"}  # fmt: skip

# ISO 639-3, by which Marian's translators into several languages call some of theirs.
_LONG = {
    "ar": "ara", "bg": "bul", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell",
    "en": "eng", "es": "spa", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hu": "hun",
    "it": "ita", "ja": "jpn", "ko": "kor", "nb": "nob", "nl": "nld", "pl": "pol", "pt": "por",
    "ro": "ron", "ru": "rus", "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "zh": "cmn_Hans",
}  # fmt: skip


class Direction(NamedTuple):
    """What makes a model translate from one language to another."""

    prefix: str = ""  # before every text
    first: int | None = None  # id that every answer begins with; None: what its makers say


def direction(lm: LM, how: Manner, source: str, target: str) -> Direction:
    """How `lm` is told to translate; raises RequestError where it cannot be."""
    if how.family == "mbart":
        return _by_first_token(lm, source, target)
    prefix = how.translation_prefix(source, target)
    if prefix or how.family != "marian":
        return Direction(prefix)
    spellings = (f">>{each}<<" for each in (target, _LONG[target]))
    known = next((each for each in spellings if reader(lm).id(each) is not None), None)
    return Direction("" if known is None else f"{known} ")


def _by_first_token(lm: LM, source: str, target: str) -> Direction:
    first = _token(lm.tokenizer, target)
    told = _token(reader(lm), source)
    (empty,) = encoded(reader(lm), [""])
    if told not in empty.ids:
        named = [reader(lm).piece(id) for id in empty.ids]
        raise RequestError(
            f"the model's tokenizer frames texts with {' '.join(named)}, and not as "
            f"{NAMES.get(source, source)}.",
            fix="Save its tokenizer with this source language (src_lang) first.",
        )
    return Direction("", first)


def _token(tokenizer: Tokenizer, language: str) -> int:
    """The id that stands for a language; raises RequestError where there is none."""
    spellings = [f"{language}_{each}" for each in (_REGIONS.get(language, ""), "XX")]
    spellings.append(f"{language}_{language.upper()}")
    found = (tokenizer.id(each) for each in spellings)
    id = next((each for each in found if each is not None), None)
    if id is None:
        raise RequestError(
            f"this model has no token for {NAMES.get(language, language)}.",
            fix="Choose another one; `loquent models` lists them.",
        )
    return id
