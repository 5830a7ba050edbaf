"""Chinese characters for numbers: how many, digit by digit, and years."""

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_SCALES = ("", "万", "亿", "万亿", "亿亿")
MOST_DIGITS = 4 * len(_SCALES)
CLASSIFIERS = frozenset("个只条张本位次件天名家台辆种年倍人块口杯瓶座层场头匹把支首篇份周岁")


def cardinal(number: int, *, counting: bool = False) -> str:
    """A whole number: 12 → 十二, 1050 → 一千零五十; `counting` says 两 before a classifier.

    Raises ValueError for numbers of over 20 digits.
    """
    if number < 0:
        return f"负{cardinal(-number, counting=counting)}"
    if number == 0:
        return "零"
    if number == 2 and counting:
        return "两"
    if len(str(number)) > MOST_DIGITS:
        raise ValueError(f"{number} has no name")
    made, gap = "", False
    groups = []
    while number:
        number, part = divmod(number, 10_000)
        groups.append(part)
    for place in range(len(groups) - 1, -1, -1):
        part = groups[place]
        if part == 0:
            gap = bool(made)
            continue
        if made and (gap or part < 1000):
            made += "零"
        alone = "两" if part == 2 and place else _group(part)
        made += alone + _SCALES[place]
        gap = False
    return made[1:] if made.startswith("一十") else made


def digits(text: str, *, one: str = "一") -> str:
    """Each digit by itself: "2024" → 二零二四; `one` is 幺 in numbers of telephones."""
    return "".join(_DIGITS[int(each)] if each != "1" else one for each in text if each.isdecimal())


def number(text: str, *, counting: bool = False) -> str:
    """A number as it is written: "-1,234.5" → 负一千二百三十四点五; long ones by digits."""
    sign = "负" if text[:1] in "-−" else "正" if text[:1] == "+" else ""
    whole, point, rest = text.lstrip("+-−").replace(",", "").replace("，", "").partition(".")
    by_digits = (len(whole) > 1 and whole.startswith("0")) or len(whole) > MOST_DIGITS
    counted = counting and not rest
    told = digits(whole) if by_digits else cardinal(int(whole or 0), counting=counted)
    return sign + told + (f"点{digits(rest)}" if point and rest else "")


def _group(number: int) -> str:
    """Up to four digits."""
    made, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit == 0:
            gap = bool(made)
            continue
        if gap:
            made += "零"
        made += ("两" if digit == 2 and place == 3 else _DIGITS[digit]) + _PLACES[place]
        gap = False
    return made
