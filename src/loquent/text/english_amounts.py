"""How English says money, measures, shares, ranges and plain numbers."""

import re

from loquent.text.english_numbers import cardinal, digits, number, ordinal
from loquent.text.english_tables import MAGNITUDES, MONEY, TIGHT_UNITS, UNITS
from loquent.text.spoken import rule

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_AMOUNT = rf"(?P<amount>{_NUMBER})"
_SIGN = r"(?P<sign>(?<![\w)])[-−+])?"
_START = r"(?<![\w.,])"
_BIG = r"hundred|thousand|million|billion|trillion"


def _either(names: list[str]) -> str:
    return "|".join(re.escape(each) for each in sorted(names, key=len, reverse=True))


_SYMBOLS = _either([each for each in MONEY if not each.isalpha()])
_CODES = _either([each for each in MONEY if each.isalpha()])
_UNITS = _either(list(UNITS))
_SCALE = rf"(?:\s?(?P<scale>{_either(list(MAGNITUDES))})\b|[ -](?P<big>{_BIG})\b)?"


def _signed(match: re.Match[str]) -> str:
    return {"-": "minus ", "−": "minus ", "+": "plus "}.get(match["sign"] or "", "")


def _money(match: re.Match[str]) -> str:
    found = match.groupdict()
    one, many, part, parts = MONEY[found.get("symbol") or match["code"]]
    amount = match["amount"].replace(",", "")
    scale = MAGNITUDES.get(found.get("scale") or "", found.get("big") or "")
    if scale:
        return f"{_signed(match)}{number(amount)} {scale} {many}"
    whole, _, rest = amount.partition(".")
    if rest and (len(rest) > 2 or not part):
        return f"{_signed(match)}{number(amount)} {many}"
    small = int(rest.ljust(2, "0")) if rest else 0
    told = [f"{cardinal(int(whole))} {one if int(whole) == 1 else many}"]
    if small:
        told = [
            *([] if int(whole) == 0 else told),
            f"{cardinal(small)} {part if small == 1 else parts}",
        ]
    return _signed(match) + " and ".join(told)


def _unit(match: re.Match[str]) -> str | None:
    name = match["unit"]
    if (
        match["space"]
        and name in TIGHT_UNITS
        and name not in ("m", "g", "h", "t", "s", "V", "W", "K")
    ):
        return None
    one, many = UNITS[name]
    amount = match["amount"]
    last = match.groupdict().get("last")
    if last:
        return f"{_signed(match)}{number(amount)} to {number(last)} {many}"
    return f"{_signed(match)}{number(amount)} {one if amount == '1' else many}"


def _per(match: re.Match[str]) -> str:
    return f"per {UNITS[match['unit']][0]}"


def _feet(match: re.Match[str]) -> str:
    feet, inches = int(match["feet"]), int(match["inches"])
    return f"{cardinal(feet)} {'foot' if feet == 1 else 'feet'} {cardinal(inches)}"


_SHARES = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅛": (1, 8),
    "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
}  # fmt: skip


def _share(over: int, under: int, whole: str = "") -> str | None:
    if under < 2 or over < 1 or under > 100:
        return None
    name = {2: "half", 4: "quarter"}.get(under, ordinal(under))
    told = f"{cardinal(over)} {name}" if over == 1 else f"{cardinal(over)} {_many(name)}"
    if not whole:
        return told
    short = {"one half": "a half", "one quarter": "a quarter"}.get(told, told)
    return f"{cardinal(int(whole))} and {short}"


def _many(name: str) -> str:
    return "halves" if name == "half" else f"{name}s"


def _fraction(match: re.Match[str]) -> str | None:
    over, under = int(match["over"]), int(match["under"])
    if (over, under) == (24, 7):
        return "twenty-four seven"
    if over >= under:
        return f"{cardinal(over)} over {cardinal(under)}" if under else None
    return _share(over, under, match["whole"] or "")


def _glyph(match: re.Match[str]) -> str | None:
    return _share(*_SHARES[match["share"]], match["whole"] or "")


def _phone(match: re.Match[str]) -> str:
    plus = "plus " if match[0].startswith("+") else ""
    return plus + ", ".join(digits(group) for group in re.findall(r"\d+", match[0]))


def _versions(match: re.Match[str]) -> str:
    return " point ".join(number(part) for part in match[0].split("."))


def _power(match: re.Match[str]) -> str:
    exponent = (
        match["exponent"].lstrip("^").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--"))
    )
    return f"{number(match['amount'])} times ten to the power of {number(exponent)}"


def _spread(match: re.Match[str]) -> str:
    return f"{number(match['first'])} to {number(match['last'])}"


def _ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["amount"].replace(",", "")))


def _plain(match: re.Match[str]) -> str:
    return _signed(match) + number(match["amount"])


AMOUNTS = (
    rule(
        "phone number",
        _phone,
        r"(?<![\w.])(?:\+\d{1,3}[ -]?)?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-. ]\d{4}(?!\d)",
    ),
    rule("phone number", _phone, r"(?<!\w)\+\d{1,3}(?:[ -]\d{2,8}){2,5}(?![\w-])"),
    rule(
        "power",
        _power,
        rf"{_START}{_AMOUNT}\s?[×x]\s?10(?P<exponent>\^[-−]?\d+|[⁻⁰¹²³⁴-⁹]+)(?!\w)",
    ),
    rule("power", _power, rf"{_START}{_AMOUNT}[eE](?P<exponent>[-−+]?\d+)(?!\w)"),
    rule("money", _money, rf"{_SIGN}(?P<symbol>{_SYMBOLS})\s?{_AMOUNT}{_SCALE}(?![\w]|,\d)"),
    rule("money", _money, rf"{_START}{_SIGN}{_AMOUNT}{_SCALE}\s?(?P<symbol>[€£¥₹₩₽₺₿])(?!\w)"),
    rule("money", _money, rf"{_START}{_SIGN}{_AMOUNT}{_SCALE}\s(?P<code>{_CODES})\b"),
    rule("money", _money, rf"\b(?P<sign>)(?P<code>{_CODES})\s?{_AMOUNT}{_SCALE}(?!\w)"),
    rule("measure", _feet, r"(?<!\w)(?P<feet>\d{1,2})['′](?P<inches>\d{1,2})[\"″](?!\w)"),
    rule(
        "measure",
        _unit,
        rf"{_START}{_SIGN}{_AMOUNT}(?:[-–](?P<last>{_NUMBER}))?(?P<space>[ -]?)",
        rf"(?P<unit>{_UNITS})(?![\w/²³]|\.\w)",
    ),
    rule("measure", _per, r"(?<=[a-z])\s?/\s?(?P<unit>kg|km|m|s|h|hr|min|ml|L|l|lb|oz|g)\b"),
    rule(
        "fraction",
        _fraction,
        r"(?<![\w/.,])(?:(?P<whole>\d{1,3}) )?(?P<over>\d{1,2})/(?P<under>\d{1,3})",
        r"(?![\w/]|[.,]\d)",
    ),
    rule(
        "fraction",
        _glyph,
        rf"(?:(?P<whole>(?<![\w.,])\d{{1,3}})\s?)?(?P<share>[{''.join(_SHARES)}])",
    ),
)
NUMBERS = (
    rule("ordinal", _ordinal, r"(?<![\w.,])(?P<amount>\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b"),
    rule(
        "range",
        _spread,
        rf"{_START}(?P<first>{_NUMBER})(?:-|\s?[–—]\s?)(?P<last>{_NUMBER})(?![\w–-]|[.,]\d)",
    ),
    rule("number", _versions, r"(?<![\w.,])\d+(?:\.\d+){2,}(?![\w]|\.\d)"),
    rule("number", _plain, rf"{_SIGN}(?<!\d)(?P<amount>{_NUMBER}|\.\d+)"),
)
