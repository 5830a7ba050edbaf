"""Numbers in English words become digits, as Whisper's normalizer writes them, oddities included.

"two hundred and five dollars" is "$205", "nineteen ninety nine" 1999, "thirty first" 31st. What is
right for speech recognition is that both texts are treated alike, not that every number is well
written (Radford et al. 2022, appendix C).
"""

import re
from fractions import Fraction

# fmt: off
_UNITS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TEN_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_POWERS = (
    "thousand", "million", "billion", "trillion", "quadrillion", "quintillion", "sextillion",
    "septillion", "octillion", "nonillion", "decillion",
)
# fmt: on
_ONES = {word: number for number, word in enumerate(_UNITS, 1)}
_TENS = {word: 10 * number for number, word in enumerate(_TEN_WORDS, 2)}
_SCALES = {"hundred": 100} | {word: 1000**power for power, word in enumerate(_POWERS, 1)}
_ZEROS = ("o", "oh", "zero")
_ENDED = {  # an amount with what its digits end in
    **{f"{word}s": (number, "s") for word, number in _ONES.items() if word != "six"},
    **{f"{word}h" if word[-1] == "t" else f"{word}th": (n, "th") for word, n in _ONES.items()},
    **{"sixes": (6, "s"), "first": (1, "st"), "second": (2, "nd"), "third": (3, "rd")},
    **{"fifth": (5, "th"), "twelfth": (12, "th")},
    **{f"{word[:-1]}ies": (number, "s") for word, number in _TENS.items()},
    **{f"{word[:-1]}ieth": (number, "th") for word, number in _TENS.items()},
}
for _unknown in ("oneth", "twoth", "threeth", "fiveth", "twelveth"):
    del _ENDED[_unknown]
_ENDED_SCALES = {
    f"{word}{end}": (number, end) for word, number in _SCALES.items() for end in ("s", "th")
}
_SIGNS = {"minus": "-", "negative": "-", "plus": "+", "positive": "+"}
_MONEY = {
    f"{word}{end}": sign
    for word, sign in (("pound", "£"), ("euro", "€"), ("dollar", "$"), ("cent", "¢"))
    for end in ("", "s")
}
_JOINING = ("and", "double", "triple", "point")
_PERCENT = ("per", "percent")
_DIGIT_WORDS = {*_ONES, *_TENS, *_ZEROS}
_AMOUNTS = {*_DIGIT_WORDS, *_ENDED, *_SCALES, *_ENDED_SCALES}
_WORDS = {*_AMOUNTS, *_SIGNS, *_MONEY, *_JOINING, *_PERCENT}
_SYMBOLS = {*_SIGNS.values(), *_MONEY.values()}
_LONGEST = 1000  # digits
_NUMBER = re.compile(r"^\d+(\.\d+)?$")


def digits(text: str) -> str:
    """The same text, in lower case and without punctuation, with its numbers in digits."""
    text = _halves(text)
    text = re.sub(r"([a-z])([0-9])", r"\1 \2", text)
    text = re.sub(r"([0-9])([a-z])", r"\1 \2", text)
    text = re.sub(r"([0-9])\s+(st|nd|rd|th|s)\b", r"\1\2", text)
    text = " ".join(_Reading(text.split()).said)
    text = re.sub(
        r"([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})\b",
        lambda found: f"{found[1]}{found[2]}.{int(found[3]):02d}",
        text,
    )
    text = re.sub(r"[€£$]0.([0-9]{1,2})\b", lambda found: f"¢{int(found[1])}", text)
    return re.sub(r"\b1(s?)\b", r"one\1", text)


def _halves(text: str) -> str:
    """ "three and a half" as "three point five"; behind other words it stays as it is."""
    *parts, last = re.split(r"\band\s+a\s+half\b", text)
    made = []
    for part in parts:
        if words := part.split():
            counted = words[-1] in _DIGIT_WORDS or words[-1] in _SCALES
            made += [part, "point five" if counted else "and a half"]
    return " ".join([*made, last] if last.strip() else made)


class _Reading:
    """A walk over words: the number that is being read, its sign, and what has been said."""

    def __init__(self, words: list[str]) -> None:
        self.said: list[str] = []
        self._value: int | str | None = None  # as digits where it is no whole number of its own
        self._sign = ""
        at = 0
        while at < len(words):
            before = words[at - 1] if at else ""
            behind = words[at + 1] if at + 1 < len(words) else ""
            at += self._read(words[at], before, behind)
        self._finish()

    def _read(self, word: str, before: str, behind: str) -> int:
        """Take one word, or the one behind it, too; how many."""
        bare = word[1:] if word[0] in _SYMBOLS else word
        if _NUMBER.match(bare):
            self._figures(word, bare)
        elif word not in _WORDS:
            self._tell(word)
        elif word in _AMOUNTS:
            self._amount(word, before)
        elif word in _SIGNS:
            self._finish()
            if _countable(behind):
                self._sign = _SIGNS[word]
            else:
                self._say(word)
        elif word in _MONEY:
            self._sign = _MONEY[word] if self._value is not None else self._sign
            self._say(word if self._value is None else self._value)
        elif word in _PERCENT:
            return self._percent(word, behind)
        else:
            return self._joining(word, before, behind)
        return 1

    def _amount(self, word: str, before: str) -> None:
        if word in _ZEROS:
            self._value = f"{self._value or ''}0"
        elif word in _ONES or word in _TENS:
            self._join(_ONES.get(word) or _TENS[word], before)
        elif word in _SCALES:
            self._scale(_SCALES[word])
        elif word in _ENDED:
            amount, end = _ENDED[word]
            self._join(amount, before)
            self._say(f"{self._value}{end}")
        else:
            factor, end = _ENDED_SCALES[word]
            self._scale(factor)
            self._say(f"{self._value}{end}")

    def _figures(self, word: str, bare: str) -> None:
        if isinstance(self._value, str) and self._value.endswith("."):
            self._value += word
            return
        self._finish()
        self._sign = word[0] if bare != word else self._sign
        whole = _product(bare, 1)
        self._value = bare if whole is None else whole

    def _join(self, amount: int, before: str) -> None:
        """Add an amount where the number has room for it, else set its digits behind."""
        value = self._value
        room = 10 if amount < 10 else 100
        if value is None:
            self._value = amount
        elif isinstance(value, int) and before not in _ONES and value % room == 0:
            self._value = value + amount
        elif isinstance(value, str) and before in _TENS and amount < 10:
            self._value = f"{value[:-1]}{amount}"
        else:
            self._value = f"{value}{amount}"

    def _scale(self, factor: int) -> None:
        """Multiply what stands below the thousands; what is no whole number then ends before."""
        value = self._value
        if value is None:
            self._value = factor
        elif isinstance(value, int) and value:
            thousands, rest = divmod(value, 1000)
            self._value = thousands * 1000 + rest * factor
        else:
            product = _product(value, factor)
            if product is None:
                self._finish()
            self._value = factor if product is None else product

    def _percent(self, word: str, behind: str) -> int:
        if self._value is None:
            self._say(word)
        elif word == "percent" or behind == "cent":
            self._say(f"{self._value}%")
            return 1 if word == "percent" else 2
        else:
            self._tell(word)
        return 1

    def _joining(self, word: str, before: str, behind: str) -> int:
        if not _countable(behind):
            self._tell(word)
        elif word == "and":
            if before not in _SCALES:  # "two hundred and five" is one number
                self._tell(word)
        elif word == "point":
            if behind in _DIGIT_WORDS or _NUMBER.match(behind):
                self._value = f"{self._value or ''}."
        elif behind in _ONES or behind in _ZEROS:
            repeats = 2 if word == "double" else 3
            self._value = f"{self._value or ''}{str(_ONES.get(behind, 0)) * repeats}"
            return 2
        else:
            self._tell(word)
        return 1

    def _tell(self, word: str) -> None:
        """A word that is no part of a number."""
        self._finish()
        self._say(word)

    def _finish(self) -> None:
        if self._value is not None:
            self._say(self._value)

    def _say(self, result: int | str) -> None:
        self.said.append(f"{self._sign}{result}")
        self._value, self._sign = None, ""


def _countable(word: str) -> bool:
    """Whether a word can be a part of a number."""
    return word in _WORDS or _NUMBER.match(word) is not None


def _product(value: int | str, factor: int) -> int | None:
    """What digits spell, times a factor; None where that is no whole number, or no number at all.

    The digits of an address are none, and more than _LONGEST of them are not computed with.
    """
    try:
        product = Fraction(value) * factor if len(str(value)) <= _LONGEST else Fraction(1, 2)
    except ValueError:
        return None
    return product.numerator if product.denominator == 1 else None
