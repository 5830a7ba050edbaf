"""Our phonemes of American English in espeak's alphabet, on which other voices were trained."""

import re
from collections.abc import Collection

_PLAIN = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ", "T": "ɾ",
    "ᵊ": "ə", "ɑ": "ɑː", "ɔ": "ɔː", "u": "uː",
}  # fmt: skip
# Before the letters by themselves: vowels that an r colors.
_COLORED = (("ɔɹ", "oːɹ"), ("ɜɹ", "ɜː"), ("əɹ", "ɚ"))
_STRESSED_I = re.compile(r"([ˈˌ][^\WAIOWYaiuæɑɔəɛɜɪʊʌ]*)i")


# Marks that not every voice has, and what stands for them.
_MARKS = {"—": ",", "…": ".", "“": "", "”": "", "(": ", ", ")": ","}


def espeak(phonemes: str, known: Collection[str] = ()) -> str:
    """Phonemes of ours as espeak writes them for American English.

    Marks that are not among the `known`, where these are given, become simpler ones.
    """
    made = _STRESSED_I.sub(r"\1iː", phonemes)
    for ours, theirs in _COLORED:
        made = made.replace(ours, theirs)
    made = "".join(_PLAIN.get(each, each) for each in made)
    if known:
        made = "".join(each if each in known else _MARKS.get(each, each) for each in made)
    return re.sub(r" +(?=[,.])|,(?=[ ,]*,)| (?= )", "", made)
