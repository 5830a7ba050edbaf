"""English text as it is said: figures, money, dates, abbreviations, acronyms and signs in words."""

import re
import unicodedata

from loquent.text import english_amounts, english_times
from loquent.text.english_numbers import cardinal, digits, number, ordinal
from loquent.text.english_tables import (
    ABBREVIATIONS,
    ALWAYS_SHORT,
    CAPITAL_WORDS,
    COUNTED,
    GREEK,
    ROMAN_HEADS,
    ROMAN_RULERS,
    SAID_AS_WORDS,
    SIGNS,
)
from loquent.text.spoken import Spoken, rule, spoken

_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_ROMAN = r"(?P<roman>[IVXLC]{1,7})\b"
_VOWELS = frozenset("AEIOUY")
_GREEK = f"[{''.join(GREEK)}{''.join(GREEK).upper()}]"
_TITLES = frozenset(  # of persons and places, behind which a sentence goes on
    "Mr Mrs Ms Prof Rev Hon Gov Gen Sgt Mt Ft Sen Rep Pres Col Capt Lt Maj Adm vs cf approx".split()  # noqa: SIM905
)


def spoken_english(text: str) -> Spoken:
    """The text with all that is not a word said in words; sentence marks stay."""
    return spoken(unicodedata.normalize("NFC", text), RULES)


def roman(text: str) -> int:
    """The value of a Roman numeral up to 399, 0 where it is none."""
    total = 0
    for place, letter in enumerate(text):
        value = _ROMAN_VALUES[letter]
        after = _ROMAN_VALUES.get(text[place + 1 : place + 2], 0)
        total += -value if value < after else value
    return total if total > 0 and _as_roman(total) == text else 0


def _as_roman(value: int) -> str:
    made = ""
    for amount, letters in (
        (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"),
        (1, "I"),
    ):  # fmt: skip
        made += letters * (value // amount)
        value %= amount
    return made


def _counted_roman(match: re.Match[str]) -> str | None:
    value = roman(match["roman"])
    return f"{match['head']} {cardinal(value)}" if value else None


def _ruler(match: re.Match[str]) -> str | None:
    value = roman(match["roman"])
    return f"{match['head']} the {ordinal(value)}" if value else None


def _address(match: re.Match[str]) -> str:
    """A web or mail address: its words, and its signs by name."""
    bare = re.sub(r"^[a-z]+://", "", match[0]).rstrip("/")
    names = {".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", ":": "colon"}
    made = []
    for word, figures, sign in re.findall(r"([A-Za-z]+)|(\d+)|([^\w\s]|_)", bare):
        if word:
            made.append(" ".join(word.upper()) if word in ("www", "html", "php", "io") else word)
        elif figures:
            made.append(number(figures) if len(figures) < 5 else digits(figures))
        else:
            made.append(names.get(sign, SIGNS.get(sign, name_of(sign))))
    return " ".join(made)


def _short(match: re.Match[str]) -> str | None:
    """An abbreviation; its period stays where a sentence ends with it."""
    word, period = match["word"], match["period"]
    if not period and word not in ALWAYS_SHORT:
        return None
    said = ABBREVIATIONS[word]
    if word in ("Co", "min", "max", "al", "est", "temp") and not period:
        return None
    return said + _full_stop(match) if period else said


def _full_stop(match: re.Match[str]) -> str:
    """The sentence's own period, where an abbreviation is its last word."""
    after = match.string[match.end() : match.end() + 40]
    last = not after.strip(" \"'”’)")
    title = match["word"] in _TITLES
    starts = re.match(r"[\"'”’)]*\s+[\"'“‘(]*[A-Z]", after) is not None
    return "." if last or (starts and not title) else ""


def _doctor(match: re.Match[str]) -> str:
    """Dr. and St.: before a name a person, behind one a street."""
    before = match.string[: match.start()].rstrip()
    after = match.string[match.end() :]
    street = bool(re.search(r"(?:\d\w*|[A-Z]\w+)$", before)) and not re.match(r"\s+[A-Z]\w", after)
    numbered = bool(re.search(r"\b\d+\w*\s+(?:[NSEW]\.?\s+)?[A-Z]\w+$", before))
    is_street = street or numbered
    said = {"Dr": ("doctor", "drive"), "St": ("saint", "street")}[match["word"]][is_street]
    ends = is_street and not after.strip(" \"'”’)")
    return said + ("." if ends and match["period"] else "")


def _counted(match: re.Match[str]) -> str:
    return f"{COUNTED[match['word']]} "


def _initials(match: re.Match[str]) -> str:
    """U.S.A. → "U S A"; the last period stays where a sentence ends."""
    letters = " ".join(match[0].replace(".", "").upper())
    after = match.string[match.end() : match.end() + 3]
    if not match[0].endswith("."):
        return letters
    starts = re.match(r"\s+[A-Z][a-z]", after) is not None and len(letters) > 3
    return f"{letters}." if starts or not after.strip() else letters


def _capitals(match: re.Match[str]) -> str | None:
    """An acronym: as a word where it is known to be one, else letter by letter."""
    word, plural = match["word"], match["plural"] or ""
    if word in SAID_AS_WORDS or word in CAPITAL_WORDS or (_sayable(word) and _shouted(match)):
        return word.lower() + plural.lstrip("'’")
    if len(word) >= 5 and _sayable(word):
        return None
    if not plural:
        return " ".join(word)
    return f"{' '.join(word)}'s"


def _shouted(match: re.Match[str]) -> bool:
    """Whether a word beside this one is written in capitals without being an acronym."""
    before = re.search(r"([A-Z]+)\s+$", match.string[max(match.start() - 24, 0) : match.start()])
    after = re.match(r"\s+([A-Z]+)\b", match.string[match.end() : match.end() + 24])
    words = [each[1] for each in (before, after) if each]
    return any(
        each in CAPITAL_WORDS or (len(each) > 3 and each not in SAID_AS_WORDS and _sayable(each))
        for each in words
    )


def _sayable(word: str) -> bool:
    """Whether letters look like a syllable or more: vowels, and never four consonants on end."""
    return (
        bool(_VOWELS & set(word))
        and re.search(r"[^AEIOUY]{4}|^[^AEIOUY]{3}|[^AEIOUY]{4}$", word) is None
    )


def _letters_and_digits(match: re.Match[str]) -> str:
    """MP3, B2B, A4, 5G, COVID-19: letters and figures by themselves."""
    made = []
    for letters, figures in re.findall(r"([A-Za-z]+)|(\d+)", match[0]):
        if figures:
            made.append(number(figures) if len(figures) < 4 else digits(figures))
        elif letters == "s" and made:  # more than one
            made[-1] += "es" if made[-1].endswith("six") else "s"
        elif letters.isupper() and letters not in SAID_AS_WORDS:
            made.append(" ".join(letters))
        else:
            made.append(letters.lower() if letters in SAID_AS_WORDS else letters)
    return " ".join(made)


def _version(match: re.Match[str]) -> str:
    return "version " + " point ".join(number(part) for part in match["version"].split("."))


def _number_sign(match: re.Match[str]) -> str:
    return f"number {number(match['amount'])}"


def _sign(match: re.Match[str]) -> str | None:
    mark = match[0]
    if mark.lower() in GREEK:
        return f" {GREEK[mark.lower()]} ".strip()
    return SIGNS[mark] if mark in SIGNS else name_of(mark)


def name_of(mark: str) -> str:
    """What Unicode calls a sign, such as "grinning face"; "" for marks without a sound."""
    category = unicodedata.category(mark)
    if category in ("So", "Sm", "Sc", "No", "Nl"):
        return re.sub(r"[^a-z0-9]+", " ", unicodedata.name(mark, "").lower()).strip()
    return ""


def _whole(names: object) -> str:
    return "|".join(re.escape(each) for each in sorted(map(str, names), key=len, reverse=True))  # type: ignore[call-overload]


RULES = (
    rule(
        "address",
        _address,
        r"\b(?:https?://|www\.)[^\s<>\"]*[\w/]|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|io|co\.uk|de|fr|cn)(?:/[\w./-]*\w)?\b",
    ),
    *english_times.TIMES,
    rule("abbreviation", _counted, rf"\b(?P<word>{_whole(COUNTED)})\.\s?(?=\d|[IVX]+\b)"),
    rule("version", _version, r"\b[vV](?P<version>\d+(?:\.\d+)+)(?!\w)"),
    rule("number", _number_sign, r"(?<!\w)#\s?(?P<amount>\d+)(?!\w)"),
    *english_amounts.AMOUNTS,
    *english_times.YEARS,
    rule(
        "letters and figures",
        _letters_and_digits,
        r"\b(?:[A-Z]+[-\u2010\u2011]?\d+[A-Z]*|\d+[A-Z]+|[A-Z]+\d+[a-z]+|[a-z]+\d+[a-z]*|\d+[a-z]+",
        r"|[A-Z]\d[A-Z])(?:-?[A-Z]*\d+)*\b(?<!st)(?<!nd)(?<!rd)(?<!th)",
    ),
    *english_amounts.NUMBERS,
    rule("numeral", _counted_roman, rf"\b(?P<head>{ROMAN_HEADS}) {_ROMAN}"),
    rule("numeral", _ruler, rf"\b(?P<head>{ROMAN_RULERS}) {_ROMAN}"),
    rule("abbreviation", _doctor, r"\b(?P<word>Dr|St)(?P<period>\.)?(?=\s|[,;:!?]|$)"),
    rule("abbreviation", _short, rf"\b(?P<word>{_whole(ABBREVIATIONS)})(?P<period>\.?)(?![\w.])"),
    rule("acronym", _initials, r"\b(?:[A-Za-z]\.){2,}(?!\w)|\b(?:[A-Z]\.)+[A-Z]\b(?!\.)"),
    rule("acronym", _capitals, r"\b(?P<word>[A-Z]{2,})(?P<plural>['’]?s)?\b"),
    rule("sign", _sign, rf"[{re.escape(''.join(SIGNS))}]|{_GREEK}(?![^\W\d_])"),
    rule("sign", lambda match: name_of(match[0]) or None, r"[^\w\s\x00-\x7f]"),
)
