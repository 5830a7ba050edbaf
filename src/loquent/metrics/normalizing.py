"""Texts as recognizers are compared by: without what cannot be heard, in one spelling.

The rules are those of Whisper's normalizers (Radford et al. 2022, appendix C).
"""

import re
import unicodedata
from functools import cache
from pathlib import Path

from loquent.metrics.number_words import digits

_AMERICAN = Path(__file__).with_name("american.txt")
_BRACKETED = re.compile(r"[<\[][^>\]]*[>\]]")
_IN_PARENTHESES = re.compile(r"\(([^)]+?)\)")
_HESITATIONS = re.compile(r"\b(hmm|mm|mhm|mmm|uh|um)\b")
_SPELLED_OUT = {
    **{"won't": "will not", "can't": "can not", "let's": "let us", "ain't": "aint"},
    **{"y'all": "you all", "wanna": "want to", "gotta": "got to", "gonna": "going to"},
    **{"i'ma": "i am going to", "imma": "i am going to", "woulda": "would have"},
    **{"coulda": "could have", "shoulda": "should have", "ma'am": "madam"},
}
_TITLES = {
    **{"mr": "mister", "mrs": "missus", "st": "saint", "dr": "doctor", "prof": "professor"},
    **{"capt": "captain", "gov": "governor", "ald": "alderman", "gen": "general"},
    **{"sen": "senator", "rep": "representative", "pres": "president", "rev": "reverend"},
    **{"hon": "honorable", "asst": "assistant", "assoc": "associate", "lt": "lieutenant"},
    **{"col": "colonel", "jr": "junior", "sr": "senior", "esq": "esquire"},
}
_ENDS = {  # in this order: what was done, then what is and will be
    **{"'d been": " had been", "'s been": " has been", "'d gone": " had gone"},
    **{"'s gone": " has gone", "'d done": " had done", "'s got": " has got"},
    **{"n't": " not", "'re": " are", "'s": " is", "'d": " would", "'ll": " will"},
    **{"'t": " not", "'ve": " have", "'m": " am"},
}
_REPLACED = (
    *((re.compile(rf"\b{short}\b"), long) for short, long in _SPELLED_OUT.items()),
    *((re.compile(rf"\b{short}\b"), f"{long} ") for short, long in _TITLES.items()),
    *((re.compile(rf"{short}\b"), long) for short, long in _ENDS.items()),
)
_KEPT = ".%$¢€£"  # which belong to numbers
_LETTERS = {  # that are not taken apart by Unicode's decomposition
    **{"œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ß": "ss", "ẞ": "SS"},
    **{"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "th", "ł": "l", "Ł": "L"},
}


def plain(text: str) -> str:
    """A text in any language: lower case, no remarks in brackets, no signs or punctuation."""
    text = _IN_PARENTHESES.sub("", _BRACKETED.sub("", text.lower()))
    kept = (
        " " if unicodedata.category(each)[0] in "MSP" else each
        for each in unicodedata.normalize("NFKC", text)
    )
    return re.sub(r"\s+", " ", "".join(kept).lower())


def english(text: str) -> str:
    """An English text: as `plain`, without hesitations, spelled out, in American spelling.

    Numbers are in digits, with the signs of money and percent.
    """
    text = _IN_PARENTHESES.sub("", _BRACKETED.sub("", text.lower()))
    text = _HESITATIONS.sub("", text)
    text = re.sub(r"\s+'", "'", text)
    for found, long in _REPLACED:
        text = found.sub(long, text)
    text = re.sub(r"(\d),(\d)", r"\1\2", text)
    text = re.sub(r"\.([^0-9]|$)", r" \1", text)
    text = digits("".join(map(_letter, unicodedata.normalize("NFKD", text))))
    text = " ".join(_american().get(word, word) for word in text.split())
    text = re.sub(r"[.$¢€£]([^0-9])", r" \1", text)
    text = re.sub(r"([^0-9])%", r"\1 ", text)
    return re.sub(r"\s+", " ", text)


def _letter(character: str) -> str:
    """A character without its accent; a sign becomes a space."""
    if character in _KEPT:
        return character
    if character in _LETTERS:
        return _LETTERS[character]
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    return " " if category[0] in "MSP" else character


@cache
def _american() -> dict[str, str]:
    made = {}
    for line in _AMERICAN.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        change, ends, begins = line.split("\t")
        british, _, american = change.partition(">")
        for begin in begins.split(","):
            for end in ends.split(","):
                made[begin + british + end] = begin + american + end
    return made
