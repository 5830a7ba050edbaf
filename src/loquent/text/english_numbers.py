"""English words for numbers: how many, which one, years, decimals and digits one by one."""

_ONES = (  # noqa: SIM905
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "_ ten twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_SCALES = (  # noqa: SIM905
    "thousand million billion trillion quadrillion quintillion sextillion septillion octillion "
    "nonillion decillion"
).split()
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MOST_DIGITS = 3 * len(_SCALES) + 3  # of a number that has a name; longer ones are read by digits


def cardinal(number: int) -> str:
    """A whole number: 123 → "one hundred twenty-three"; raises ValueError past decillions."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number < 100:
        return _under_hundred(number)
    if len(str(number)) > MOST_DIGITS:
        raise ValueError(f"{number} has no name")
    groups: list[str] = []
    for place in range(len(_SCALES) + 1):
        number, part = divmod(number, 1000)
        if part:
            name = f" {_SCALES[place - 1]}" if place else ""
            groups.append(_under_thousand(part) + name)
        if not number:
            break
    return " ".join(reversed(groups))


def ordinal(number: int) -> str:
    """Which one: 3 → "third", 21 → "twenty-first"; raises ValueError as `cardinal` does."""
    words = cardinal(number)
    start = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[start:]
    if last in _ORDINALS:
        made = _ORDINALS[last]
    else:
        made = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return words[:start] + made


def year(number: int) -> str:
    """A year as it is said: 1999 → "nineteen ninety-nine", 2005 → "two thousand five"."""
    high, low = divmod(number, 100)
    if not 1000 <= number <= 9999 or (high % 10 == 0 and low < 10):
        return cardinal(number)
    if low == 0:
        return f"{cardinal(high)} hundred"
    return f"{cardinal(high)} {f'oh {cardinal(low)}' if low < 10 else cardinal(low)}"


def digits(text: str) -> str:
    """Each digit by itself: "007" → "zero zero seven"."""
    return " ".join(_ONES[int(each)] for each in text if each.isdecimal())


def number(text: str) -> str:
    """A number as it is written, with commas, sign and decimals: "-1,234.5" → "minus one …".

    Leading zeros, and numbers too long for a name, are read digit by digit.
    """
    sign = "minus " if text[:1] in "-−" else "plus " if text[:1] == "+" else ""
    whole, point, rest = text.lstrip("+-−").replace(",", "").partition(".")
    told = ""
    if whole:
        by_digits = (len(whole) > 1 and whole.startswith("0")) or len(whole) > MOST_DIGITS
        told = digits(whole) if by_digits else cardinal(int(whole))
    if point and rest:
        told = f"{told or 'zero'} point {digits(rest)}"
    return sign + told


def plural_tens(number: int) -> str:
    """A decade: 90 → "nineties", 10 → "tens"; 0 → "hundreds"."""
    if number == 0:
        return "hundreds"
    return f"{_TENS[number // 10][:-1]}ies" if number >= 20 else f"{cardinal(number)}s"


def _under_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]


def _under_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    parts = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    return " ".join([*parts, _under_hundred(rest)] if rest else parts)
