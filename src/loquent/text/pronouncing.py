"""From words to phonemes: a lexicon, the words around, and a guess for what no lexicon has.

What cannot be said is collected and told by name; nothing is left out in silence.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loquent.text.lexicon import Lexicon, with_s
from loquent.text.stress import VOWELS, joined, marked, spelled
from loquent.text.tagging import Tagger

_TOKEN = re.compile(
    r"(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*(?:['’](?!\w))?)|(?P<mark>\.{3,}|[^\w\s]|_|\d)|(?P<gap>\s+)"
)
_CONTRACTED = re.compile(r"(.+?)(n't|'(?:s|re|ve|ll|d|m))$", re.IGNORECASE)
_MARKS = {
    "...": "…",
    "–": "—",
    "―": "—",
    "；": ";",
    "：": ":",
    "，": ",",
    "。": ".",
    "！": "!",
    "？": "?",
}
_SILENT = frozenset("\"'’‘`´*_#~^[]{}|\\«»‹›„‚<>\u200b\ufeff-‐‑")
_CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
_LATIN = re.compile(r"[\u0000-\u024f\u1e00-\u1eff]+")
_JOINTS = ("-", "‐", "‑")


@dataclass
class _Token:
    text: str
    is_word: bool
    gap: bool = False  # white space behind it
    tied: bool = False  # a hyphen before it
    phonemes: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Pronounced:
    """Phonemes of a text, and what of it could not be said or was guessed."""

    phonemes: str
    guessed: tuple[str, ...]
    unknown: tuple[str, ...]


class Pronouncer:
    """American English words to phonemes in the alphabet of a voice."""

    def __init__(
        self,
        lexicon: Lexicon,
        alphabet: Sequence[str],
        guess: Callable[[str], str],
        tagger: Callable[[], Tagger],
    ) -> None:
        """`guess` says a word that no lexicon has; `tagger` is made when a word first needs it."""
        self._lexicon, self._alphabet = lexicon, frozenset(alphabet)
        self._guess, self._make_tagger = guess, tagger
        self._tagger: Tagger | None = None

    def pronounced(self, text: str) -> Pronounced:
        """How a sentence of words and marks is said."""
        tokens = _tokens(text)
        self._tag(tokens)
        guessed: list[str] = []
        unknown: list[str] = []
        ahead: bool | None = None  # whether a vowel comes next; None: a pause
        for place in range(len(tokens) - 1, -1, -1):
            token = tokens[place]
            if not token.is_word:
                token.phonemes, pauses = self._mark(token.text, unknown)
                ahead = None if pauses else ahead
                continue
            around = _around(tokens, place)
            token.phonemes = self._word(token, around, ahead, guessed, unknown)
            first = next((c for c in token.phonemes if c in VOWELS or c in _CONSONANTS), "")
            ahead = first in VOWELS if first else ahead
        written = "".join(self._written(_grouped(tokens)))
        made = re.sub(r"\s+(?=[;:,.!?…])", "", " ".join(written.split()))
        return Pronounced(made, tuple(reversed(guessed)), tuple(reversed(unknown)))

    def _tag(self, tokens: Sequence[_Token]) -> None:
        """Parts of speech, where a word is there that needs them."""
        if not any(each.is_word and self._lexicon.varies(each.text) for each in tokens):
            return
        if self._tagger is None:
            self._tagger = self._make_tagger()
        words: list[str] = []
        owners: list[_Token] = []
        for token in tokens:
            parts = _CONTRACTED.match(token.text)
            for part in parts.groups() if parts else (token.text,):
                words.append(part.replace("’", "'"))
                owners.append(token)
        for token, tag in zip(reversed(owners), reversed(self._tagger.tags(words)), strict=True):
            token.tag = tag  # the first part's is written last

    def _mark(self, mark: str, unknown: list[str]) -> tuple[str, bool]:
        """A mark in the voice's alphabet, and whether it is a pause."""
        known = _MARKS.get("..." if mark.startswith("...") else mark, mark)
        if known in self._alphabet and not known.isalnum() and known not in _SILENT:
            return known, known not in "“”()"
        if mark not in _SILENT and unicodedata.category(mark[0]) not in ("Mn", "Cf", "Cc", "Sk"):
            unknown.append(mark)
        return "", False

    def _word(
        self,
        token: _Token,
        around: tuple[str, str],
        ahead: bool | None,
        guessed: list[str],
        unknown: list[str],
    ) -> str:
        text = token.text.replace("’", "'")
        if _is_letter(text) and (text not in "AI" or any(map(_is_letter, around))):
            return self._letters(text)
        context = _in_context(text, ahead, token.tag)
        if context:
            return context
        if text.lower() == "used":  # "used to" is past; what is used is not
            token.tag = "VBD" if around[1].lower() == "to" else ""
        found = self._lexicon.phonemes(text, token.tag, last=ahead is None)
        if found is None:
            plain = _plain(text)
            found = self._lexicon.phonemes(plain, token.tag) if plain != text else None
        if found is None and _is_short(text):
            found = self._letters(text) or None
        if found is None and _LATIN.fullmatch(text):
            found = self._guessed(text)
            if found:
                guessed.append(token.text)
        if not found:
            unknown.append(token.text)
        return self._kept(found or "")

    def _guessed(self, text: str) -> str:
        """A word of no lexicon: its parts around apostrophes, spelled where all else fails."""
        stem = re.sub(r"'s?$", "", text)
        parts = [each for each in stem.split("'") if each]
        made = [self._kept(self._guess(part)) or self._letters(part) for part in parts]
        if not made or not all(made):
            return ""
        told = joined(made) if len(made) > 1 else made[0]
        return with_s(told) if text.endswith("'s") else told

    def _letters(self, text: str) -> str:
        """A letter, or several, by name: "F", "D's", "PhD"."""
        bare = text.removesuffix("'s")
        names = [self._lexicon.letter(_plain(each)) for each in bare if each.isalpha()]
        if not names or not all(names):
            return ""
        return spelled(names) + ("z" if bare != text else "")

    def _kept(self, phonemes: str) -> str:
        """In the voice's alphabet: a flap is its T, a glottal stop its t."""
        flat = phonemes.replace("ɾ", "T").replace("ʔ", "t")
        return "".join(each for each in flat if each in self._alphabet and each not in "()")

    @staticmethod
    def _written(groups: Sequence[Sequence[_Token]]) -> Sequence[str]:
        made: list[str] = []
        for group in groups:
            parts = [each.phonemes for each in group if each.phonemes]
            if all(_is_letter(each.text) for each in group) and len(group) > 1:
                text = spelled(parts)
            else:
                text = joined(parts) if len(parts) > 1 else "".join(parts)
            made.append(text + (" " if group[-1].gap else ""))
        return made


def _tokens(text: str) -> list[_Token]:
    made: list[_Token] = []
    tied = False
    for found in _TOKEN.finditer(text):
        if found["gap"]:
            if made:
                made[-1].gap = True
            tied = False
            continue
        word, mark = found["word"], found["mark"]
        if mark in _JOINTS and made and made[-1].is_word and not made[-1].gap:
            tied = True
            continue
        if mark in _JOINTS:
            mark = "—"  # between spaces it is a dash
        made.append(_Token(word or mark, word is not None, tied=tied and word is not None))
        tied = False
    return made


def _grouped(tokens: Sequence[_Token]) -> list[list[_Token]]:
    """Tokens that are written as one: compounds, and letters that are spelled."""
    groups: list[list[_Token]] = []
    for token in tokens:
        last = groups[-1][-1] if groups else None
        letters = last is not None and _is_letter(last.text) and _is_letter(token.text)
        if last is not None and (token.tied or (letters and last.gap)):
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups


def _around(tokens: Sequence[_Token], place: int) -> tuple[str, str]:
    """The words right before and behind."""
    before = tokens[place - 1].text if place else ""
    return before, tokens[place + 1].text if place + 1 < len(tokens) else ""


def _is_letter(text: str) -> bool:
    """Whether it is a letter said by its name: a capital by itself, perhaps of many."""
    bare = text.replace("’", "'").removesuffix("'s")
    return len(bare) == 1 and bare.isalpha() and bare.isupper()


def _is_short(text: str) -> bool:
    """Whether it looks like an abbreviation: capitals behind the first letter, and few letters."""
    return len(text) < 5 and any(each.isupper() for each in text[1:])


def _in_context(word: str, ahead: bool | None, tag: str) -> str:
    """Small words that are said as what comes next wants it; "" for any other."""
    lowered = word.lower()
    if lowered == "the":
        return "ði" if ahead else "ðə"
    if lowered == "a":
        return "ɐ" if ahead is not None else "ˈA"
    if lowered == "an":
        return "ɐn"
    if lowered == "to":
        return "tu" if ahead is None else "tʊ" if ahead else "tə"
    if lowered == "in":
        return "ˈɪn" if ahead is None or tag == "RP" else "ɪn"
    if word == "I":
        return "ˌI"
    if lowered == "am":
        return "ɐm" if ahead is not None else marked("æm", "ˈ")
    return ""


def _plain(text: str) -> str:
    """Without accents: é is e."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(each for each in parts if not unicodedata.combining(each))
