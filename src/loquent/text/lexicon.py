"""Words and their phonemes: a dictionary, and English endings for stems that it has."""

from collections.abc import Mapping

from loquent.text.stress import VOWELS, marked

Entry = str | Mapping[str, str | None]  # or by part of speech; None: it is spelled
_VOICELESS, _HISSING = frozenset("ptkfθ"), frozenset("szʃʒʧʤ")
_FLAPPED = VOWELS | {"ɹ"}  # before a t that is said short in American English
_DOUBLED = frozenset("bcdfgklmnprstvz")


class Lexicon:
    """Phonemes of words: of several dictionaries the first that knows one."""

    def __init__(self, *dictionaries: Mapping[str, Entry]) -> None:
        self._dictionaries = dictionaries

    def entry(self, word: str) -> Entry | None:
        """What a dictionary has of a word, as it is written, in small letters or with a capital."""
        forms = dict.fromkeys((word, word.lower(), word.lower().capitalize()))
        for dictionary in self._dictionaries:
            for form in forms:
                found = dictionary.get(form)
                if found is not None:
                    return found
        return None

    def letter(self, letter: str) -> str:
        """The name of a letter; "" for none."""
        found = self._dictionaries[0].get(letter.upper())
        return found if isinstance(found, str) else ""

    def varies(self, word: str) -> bool:
        """Whether how a word is said depends on its part of speech."""
        found = self.entry(word)
        return isinstance(found, Mapping) and bool(set(found) - {"DEFAULT", "None"})

    def phonemes(self, word: str, tag: str = "", *, last: bool = False) -> str | None:
        """How a word is said; None where neither it nor its stem is known, or it is to be spelled.

        `tag` is its part of speech in the Penn Treebank's terms; `last`: it ends a clause.
        """
        found = self.entry(word)
        if found is not None:
            made = _chosen(found, tag, last=last)
            return made if made is None or word.islower() else marked(made, "ˌ")
        return self._with_ending(word, tag)

    def _with_ending(self, word: str, tag: str) -> str | None:
        lowered = word.lower().replace("’", "'")
        for ending, stems, ended in (
            ("s", _plural_stems(lowered), with_s),
            ("d", _past_stems(lowered), _with_d),
            ("ing", _going_stems(lowered), _with_ing),
        ):
            if not lowered.endswith((ending, "s'")):
                continue
            for stem in stems:
                found = self.entry(stem) if len(stem) > 1 else None
                made = _chosen(found, tag) if found is not None else None
                if made:
                    return ended(made)
        return None


def _chosen(entry: Entry, tag: str, *, last: bool = False) -> str | None:
    if isinstance(entry, str):
        return entry
    if last and entry.get("None"):
        return entry["None"]
    from loquent.text.tagging import CLASSES  # noqa: PLC0415  # few words need it

    for key in (tag, CLASSES.get(tag[:2], "")):
        if key in entry:
            return entry[key]
    return entry.get("DEFAULT")


def _plural_stems(word: str) -> list[str]:
    bare = word.removesuffix("'s").removesuffix("s'")
    if bare != word:
        return [f"{bare}s" if word.endswith("s'") else bare, bare]
    stems = [] if word.endswith("ss") else [word[:-1]]
    if word.endswith("es"):
        stems.append(word[:-2])
    return [f"{word[:-3]}y", *stems] if word.endswith("ies") else stems


def _past_stems(word: str) -> list[str]:
    if not word.endswith("ed"):
        return []
    stems = [word[:-1], word[:-2]]
    if word.endswith("ied"):
        stems.insert(0, f"{word[:-3]}y")
    return stems + _undoubled(word[:-2])


def _going_stems(word: str) -> list[str]:
    return [word[:-3], f"{word[:-3]}e", *_undoubled(word[:-3])]


def _undoubled(stem: str) -> list[str]:
    twice = len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] in _DOUBLED
    return [stem[:-1]] if twice else []


def with_s(stem: str) -> str:
    """Phonemes with the ending of plurals and possessives."""
    if stem[-1] in _HISSING:
        return f"{stem}ᵻz"
    return f"{stem}s" if stem[-1] in _VOICELESS else f"{stem}z"


def _with_d(stem: str) -> str:
    if stem[-1] == "d":
        return f"{stem}ᵻd"
    if stem[-1] == "t":
        return f"{_flapped(stem)}ᵻd"
    return f"{stem}t" if stem[-1] in _VOICELESS | set("sʃʧ") else f"{stem}d"


def _with_ing(stem: str) -> str:
    return f"{_flapped(stem)}ɪŋ"


def _flapped(stem: str) -> str:
    flaps = len(stem) > 1 and stem[-1] == "t" and stem[-2] in _FLAPPED
    return f"{stem[:-1]}ɾ" if flaps else stem
