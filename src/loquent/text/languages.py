"""Which language a text is in: by its script, and by its trigrams where that is Latin."""

import math
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

SAMPLE_CHARACTERS = 20_000  # of a long text; more tells nothing new
NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "fi": "Finnish",
    "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nb": "Norwegian", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip

_SCRIPTS = {
    "kana": "\u3040-\u30ff\u31f0-\u31ff",
    "han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
    "ko": "\u1100-\u11ff\uac00-\ud7af",
    "cyrillic": "\u0400-\u052f",
    "el": "\u0370-\u03ff",
    "ar": "\u0600-\u06ff\u0750-\u077f",
    "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f",
    "th": "\u0e00-\u0e7f",
    "latin": "A-Za-z\u00c0-\u024f",
}
_CHARACTERS = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}
_EAST_WEIGHT = 3  # a character of East Asia says as much as some letters
_SURELY_RUSSIAN = 35  # letters of a text without any that other languages have
_MAIN_SHARE = 0.6  # of the letters that must be of one script
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?'?")
_NOT_PROSE = re.compile(r"https?://\S+|\S+@\S+|\{[^{}]*\}|<[^<>]*>|`[^`]*`|%\w+")

# The most frequent trigrams of each language in the Universal Declaration of Human Rights and,
# where there is one, a Bible in the public domain; the most frequent first, _ for a word's edge.
_TRIGRAMS = Path(__file__).with_name("trigrams.txt")
_RANK_OFFSET = 10.0  # a trigram's probability falls with its rank r as 1 / (r + offset)
_LISTED = 0.85  # share of a text's trigrams that are in its language's list
_OTHERS = 4000  # among which the rest is divided
_LEAST_LEAD = 4.0  # nats by which the first language must be ahead of the second
_LEAST_LEAD_EACH = 0.05  # the same for each trigram: closer ones are of a third, alike language
_LEAST_FIT = -8.25  # nats a trigram: languages that are not listed fit worse, as does no language


class Guess(NamedTuple):
    """A language, or the likeliest ones where one cannot be sure."""

    code: str  # ISO 639-1; "" where the text is too short, mixed, or in none that is known
    nearest: tuple[str, ...]  # the likeliest codes, the first first; none where nothing speaks

    @property
    def name(self) -> str:
        """In English."""
        return NAMES.get(self.code, "unknown")


def identify(text: str) -> Guess:
    """The language of a text; without a code where one cannot be sure."""
    prose = _NOT_PROSE.sub(" ", text[:SAMPLE_CHARACTERS])
    counts = {name: len(found.findall(prose)) for name, found in _CHARACTERS.items()}
    for name in ("kana", "han", "ko"):
        counts[name] *= _EAST_WEIGHT
    total = sum(counts.values())
    if not total:
        return Guess("", ())
    if counts["kana"] > 0.1 * (counts["kana"] + counts["han"]):
        counts["kana"] += counts.pop("han")
    script = max(counts, key=lambda name: counts[name])
    if counts[script] < _MAIN_SHARE * total:
        return Guess("", ())
    if script == "latin":
        return _latin(prose)
    return _by_letters(script, prose)


def _by_letters(script: str, prose: str) -> Guess:
    if script == "cyrillic":
        return _cyrillic(prose.lower())
    code = {"han": "zh", "kana": "ja"}.get(script, script)
    return Guess(code, (code,))


def _cyrillic(prose: str) -> Guess:
    """By letters that one language has and the others lack."""
    if re.search("[јљњћђџѓќѕ]", prose):  # Serbian and Macedonian
        return Guess("", ())
    if re.search("[іїєґ]", prose):
        return Guess("uk", ("uk",))
    if re.search("ъ[^еёюяи]", prose):  # in Russian it stands before these alone
        return Guess("bg", ("bg",))
    letters = len(_CHARACTERS["cyrillic"].findall(prose))
    sure = re.search("[ыэё]", prose) is not None or letters >= _SURELY_RUSSIAN
    return Guess("ru" if sure else "", ("ru", "uk"))


def _latin(prose: str) -> Guess:
    """By naive Bayes over trigrams (Cavnar and Trenkle 1994 rank them; here ranks are chances)."""
    trigrams = []
    for word in _WORD.findall(prose.lower().replace("’", "'")):
        padded = f"_{word}_"
        trigrams += [padded[at : at + 3] for at in range(len(padded) - 2)]
    other = math.log((1 - _LISTED) / _OTHERS)
    scores = {
        code: sum(logprobs.get(each, other) for each in trigrams)
        for code, logprobs in _profiles().items()
    }
    first, second = sorted(scores, key=lambda code: -scores[code])[:2]
    lead = scores[first] - scores[second]
    sure = lead >= max(_LEAST_LEAD, _LEAST_LEAD_EACH * len(trigrams)) and scores[
        first
    ] >= _LEAST_FIT * len(trigrams)
    return Guess(first if sure else "", (first, second))


@cache
def _profiles() -> dict[str, dict[str, float]]:
    """The logarithm of each listed trigram's probability, by language."""
    made = {}
    for line in _TRIGRAMS.read_text(encoding="utf-8").splitlines():
        code, _, text = line.partition("\t")
        listed = [text[at : at + 3] for at in range(0, len(text), 3)]
        weights = [1 / (rank + _RANK_OFFSET) for rank in range(len(listed))]
        total = sum(weights) / _LISTED
        made[code] = {
            trigram: math.log(weight / total)
            for trigram, weight in zip(listed, weights, strict=True)
        }
    return made
