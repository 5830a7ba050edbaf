"""How English says dates, times of day, years and decades."""

import re

from loquent.text.english_numbers import cardinal, ordinal, plural_tens, year
from loquent.text.english_tables import DAYS, MONTHS
from loquent.text.spoken import rule

_SHORT = {name[:3]: name for name in MONTHS} | {"Sept": "September"}
_MONTH = rf"(?P<month>{'|'.join(MONTHS)}|(?:{'|'.join(_SHORT)})\b\.?)"
_DAY_NAME = rf"(?:(?P<name>{'|'.join(DAYS)})\.?,?[ ])?"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>[12]\d{3})"
_ALONE = r"(?![\w/]|[.,:-]\d)"
_HALF = r"(?P<half>[AaPp]\.?[Mm]\b\.?)"


def _month(match: re.Match[str]) -> str:
    short = match["month"].rstrip(".")
    return _SHORT.get(short, short)


def _date(month: str, day: str | None, number: str | None, name: str | None = None) -> str:
    told = f"{DAYS[name]}, {month}" if name else month
    if day:
        told += f" {ordinal(int(day))}"
    return (
        f"{told}, {year(int(number))}"
        if number and day
        else told + (f" {year(int(number))}" if number else "")
    )


def _named(match: re.Match[str]) -> str:
    found = match.groupdict()
    return _date(_month(match), found.get("day"), found.get("year"), found.get("name"))


def _day_first(match: re.Match[str]) -> str:
    of = "the " + ordinal(int(match["day"])) + " of " + _month(match)
    name = f"{DAYS[match['name']]}, " if match["name"] else ""
    return name + of + (f", {year(int(match['year']))}" if match["year"] else "")


def _figures(match: re.Match[str]) -> str | None:
    """10/12/2024: the month first, as in America, unless it can only be the day."""
    first, second = int(match["first"]), int(match["second"])
    month, day = (first, second) if first <= 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    number = match["year"]
    if len(number) == 2:
        number = f"{'20' if int(number) < 50 else '19'}{number}"
    return _date(MONTHS[month - 1], str(day), number)


def _iso(match: re.Match[str]) -> str | None:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return _date(MONTHS[month - 1], str(day), match["year"])


def clock(hours: int, minutes: int, half: str) -> str:
    """A time of day: 9, 5, "am" → "nine oh five A M"."""
    if minutes:
        told = (
            f"{cardinal(hours)} {f'oh {cardinal(minutes)}' if minutes < 10 else cardinal(minutes)}"
        )
    elif half:
        told = cardinal(hours)
    else:
        told = (
            f"{cardinal(hours)} o'clock" if 1 <= hours <= 12 else f"{cardinal(hours)} hundred hours"
        )
    letters = " ".join(half.replace(".", "").upper())
    return f"{told} {letters}" if letters else told


def _time(match: re.Match[str]) -> str | None:
    found = match.groupdict()
    hours, minutes = int(match["hours"]), int(found.get("minutes") or 0)
    if hours > 24 or minutes > 59:
        return None
    half = found.get("half") or ""
    told = clock(hours, minutes, half)
    if seconds := found.get("seconds"):
        if int(seconds) > 59:
            return None
        return f"{told} and {cardinal(int(seconds))} second{'' if int(seconds) == 1 else 's'}"
    return _ended(match, told)


def _ended(match: re.Match[str], said: str) -> str:
    """The period of "p.m." may be a sentence's, too."""
    after = match.string[match.end() : match.end() + 2]
    closes = match[0].endswith(".") and (not after.strip() or after[-1:].isupper())
    return f"{said}." if closes else said


def _decade(match: re.Match[str]) -> str:
    high, tens = match["high"], int(match["tens"])
    if not high:
        return plural_tens(tens)
    if tens == 0 and int(high) % 10 == 0:
        return f"{cardinal(int(high) // 10)} thousands"
    return f"{cardinal(int(high))} {plural_tens(tens)}"


def _span(match: re.Match[str]) -> str:
    last = match["last"]
    whole = last if len(last) == 4 else match["first"][: 4 - len(last)] + last
    return f"{year(int(match['first']))} to {year(int(whole))}"


def _year(match: re.Match[str]) -> str:
    return year(int(match[0]))


TIMES = (
    rule("date", _iso, rf"\b{_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)(?![\w-])"),
    rule(
        "date",
        _figures,
        r"(?<![\w/.])(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>[12]\d{3}|\d\d)(?![\w/])",
    ),
    rule("date", _named, rf"\b{_DAY_NAME}{_MONTH} {_DAY}(?:,? {_YEAR})?{_ALONE}"),
    rule(
        "date", _day_first, rf"\b{_DAY_NAME}(?:the )?{_DAY} (?:of )?{_MONTH}(?:,? {_YEAR})?{_ALONE}"
    ),
    rule("date", _named, rf"\b{_MONTH},? {_YEAR}{_ALONE}"),
    rule(
        "time",
        _time,
        r"(?<![\w.:])(?P<hours>\d{1,2}):(?P<minutes>\d\d)(?::(?P<seconds>\d\d))?",
        rf"(?:\s?{_HALF})?(?![\w:])",
    ),
    rule("time", _time, rf"(?<![\w.:])(?P<hours>1[0-2]|[1-9])\s?{_HALF}(?!\w)"),
    rule(
        "years", _span, r"(?<![\w.,])(?P<first>1[1-9]\d\d|20\d\d)[-–](?P<last>\d{4}|\d\d)(?![\w-])"
    ),
    rule("decade", _decade, r"(?<![\w.,])['’]?(?P<high>1[0-9]|20)?(?P<tens>\d0)['’]?s\b"),
)
YEARS = (rule("year", _year, r"(?<![\w.,$€£¥-])(?:1[1-9]\d\d|20\d\d)(?![\w%]|[.,:-]\d)"),)
