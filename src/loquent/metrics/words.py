"""How metrics cut texts into words, by name, so that a signature can tell it."""

import re

_ASCII_WORD = re.compile("[a-z0-9]+")
_WORD_OR_CHARACTER = re.compile("[a-z0-9]+|[^\\W_]")


def ascii_words(text: str) -> list[str]:
    """Runs of Latin letters and digits in lower case, as the package rouge-score has them."""
    return _ASCII_WORD.findall(text.lower())


def characters(text: str) -> list[str]:
    """Every letter or digit by itself, but runs of Latin ones together, as for Chinese."""
    return _WORD_OR_CHARACTER.findall(text.lower())


def spaced(text: str) -> list[str]:
    """What stands between white space."""
    return text.split()
