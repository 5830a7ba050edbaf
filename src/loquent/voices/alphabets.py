"""Our phonemes of American English in espeak's alphabet, on which other voices were trained."""

import re

_PLAIN = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ", "T": "ɾ",
    "ᵊ": "ə", "ɑ": "ɑː", "ɔ": "ɔː", "u": "uː",
}  # fmt: skip
# Before the letters by themselves: vowels that an r colors.
_COLORED = (("ɔɹ", "oːɹ"), ("ɜɹ", "ɜː"), ("əɹ", "ɚ"), ("ɑɹ", "ɑːɹ"))
_STRESSED_I = re.compile(r"([ˈˌ][^\WAIOWYaiuæɑɔəɛɜɪʊʌ]*)i")


def espeak(phonemes: str) -> str:
    """Phonemes of ours as espeak writes them for American English."""
    made = _STRESSED_I.sub(r"\1iː", phonemes)
    for ours, theirs in _COLORED:
        made = made.replace(ours, theirs)
    return "".join(_PLAIN.get(each, each) if each != "ː" else each for each in made)
