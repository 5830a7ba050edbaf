"""Chinese text as it is said: figures, dates, times, money, measures and signs in characters."""

import re
import unicodedata

from loquent.text.chinese_numbers import CLASSIFIERS, cardinal, digits, number
from loquent.text.spoken import Spoken, rule, spoken

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_AMOUNT = rf"(?P<amount>{_NUMBER})"
_SIGN = r"(?P<sign>(?<![0-9A-Za-z)）])[-−+])?"
_FREE = r"(?<![\dA-Za-z.,])"

UNITS = {
    "km": "公里", "m": "米", "cm": "厘米", "mm": "毫米", "μm": "微米", "nm": "纳米", "kg": "公斤",
    "g": "克", "mg": "毫克", "t": "吨", "km²": "平方公里", "m²": "平方米", "m³": "立方米",
    "㎡": "平方米", "L": "升", "l": "升", "ml": "毫升", "mL": "毫升", "km/h": "公里每小时",
    "m/s": "米每秒", "℃": "摄氏度", "°C": "摄氏度", "°F": "华氏度", "℉": "华氏度", "°": "度",
    "h": "小时", "min": "分钟", "s": "秒", "ms": "毫秒", "Hz": "赫兹", "kHz": "千赫", "MHz": "兆赫",
    "GHz": "吉赫", "W": "瓦", "kW": "千瓦", "kWh": "千瓦时", "V": "伏", "A": "安", "mAh": "毫安时",
    "KB": "千字节", "MB": "兆字节", "GB": "吉字节", "TB": "太字节", "kcal": "千卡", "kJ": "千焦",
    "dB": "分贝", "Pa": "帕", "kPa": "千帕", "px": "像素", "mph": "英里每小时",
}  # fmt: skip
MONEY = {
    "¥": "元", "￥": "元", "元": "元", "$": "美元", "US$": "美元", "€": "欧元", "£": "英镑",
    "HK$": "港元", "₩": "韩元", "₽": "卢布", "USD": "美元", "CNY": "元", "RMB": "元", "EUR": "欧元",
    "JPY": "日元", "GBP": "英镑",
}  # fmt: skip
SIGNS = {
    "%": "百分号", "&": "和", "@": "艾特", "#": "井号", "+": "加", "=": "等于", "×": "乘",
    "÷": "除以",
    "±": "正负", "<": "小于", ">": "大于", "≤": "小于等于", "≥": "大于等于", "≈": "约等于",
    "≠": "不等于", "/": "斜杠", "*": "星号", "_": "下划线",
    "\\": "反斜杠", "^": "脱字符", "|": "竖线", "°": "度",
    "$": "美元", "€": "欧元", "£": "英镑", "¥": "元", "￥": "元", "→": "到", "№": "号", "§": "节",
}  # fmt: skip
_SCALE = r"(?P<scale>[万亿千百]+)?"
_POSTS = ("百分之", "千分之")


def spoken_chinese(text: str) -> Spoken:
    """The text with figures and signs in characters; words and letters stay as they are."""
    return spoken(unicodedata.normalize("NFC", text), RULES, gap="")


def _either(names: object) -> str:
    return "|".join(re.escape(each) for each in sorted(map(str, names), key=len, reverse=True))  # type: ignore[call-overload]


_SYMBOLS = _either(each for each in MONEY if not each.isalpha())


def _signed(match: re.Match[str]) -> str:
    return {"-": "负", "−": "负", "+": "正"}.get(match["sign"] or "", "")


def _date(match: re.Match[str]) -> str | None:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{digits(match['year'])}年{cardinal(month)}月{cardinal(day)}日"


def _time(match: re.Match[str]) -> str | None:
    hours, minutes = int(match["hours"]), int(match["minutes"])
    seconds = match["seconds"]
    if hours > 24 or minutes > 59 or int(seconds or 0) > 59:
        return None
    told = f"{cardinal(hours, counting=True)}点"
    if minutes or seconds:
        told += f"{'零' if minutes < 10 and minutes else ''}{cardinal(minutes)}分"
    else:
        told += "整"
    return told + (f"{cardinal(int(seconds))}秒" if seconds else "")


def _money(match: re.Match[str]) -> str:
    found = match.groupdict()
    unit = MONEY[found.get("symbol") or match["code"]]
    amount, scale = match["amount"].replace(",", ""), found.get("scale") or ""
    whole, _, rest = amount.partition(".")
    if unit != "元" or scale or not 0 < len(rest) <= 2 or int(rest) == 0:
        counted = number(amount if rest.strip("0") else whole, counting=True)
        return f"{_signed(match)}{counted}{scale}{unit}"
    tenths, hundredths = (int(each) for each in rest.ljust(2, "0"))
    told = f"{cardinal(int(whole), counting=True)}元" if int(whole) else ""
    told += f"{cardinal(tenths)}角" if tenths else ("零" if told else "")
    return _signed(match) + told + (f"{cardinal(hundredths)}分" if hundredths else "")


def _share(match: re.Match[str]) -> str:
    post = _POSTS[match["mark"] == "‰"]
    last = match["last"]
    told = f"{post}{number(match['amount'])}"
    return _signed(match) + told + (f"到{post}{number(last)}" if last else "")


def _unit(match: re.Match[str]) -> str:
    name, last = UNITS[match["unit"]], match["last"]
    if last:
        return f"{_signed(match)}{number(match['amount'])}到{number(last)}{name}"
    sign = "零下" if match["sign"] in ("-", "−") and "度" in name else _signed(match)
    return f"{sign}{number(match['amount'], counting=True)}{name}"


def _counted(match: re.Match[str]) -> str:
    return number(match["amount"], counting=True)


def _version(match: re.Match[str]) -> str:
    return "点".join(number(part) for part in match[0].split("."))


def _sign(match: re.Match[str]) -> str | None:
    return SIGNS[match[0]] if match[0] in SIGNS else _named(match[0])


def _named(mark: str) -> str | None:
    """Signs without a Chinese name here keep their English one, rather than none."""
    if unicodedata.category(mark) not in ("So", "Sm", "Sc"):
        return None
    return f" {re.sub(r'[^a-z0-9]+', ' ', unicodedata.name(mark, '').lower()).strip()} "


def _plain(match: re.Match[str]) -> str:
    return _signed(match) + number(match["amount"])


def _year(match: re.Match[str]) -> str:
    return digits(match["year"])


def _phone(match: re.Match[str]) -> str:
    return digits(match[0], one="幺")


def _fraction(match: re.Match[str]) -> str | None:
    over, under = int(match["over"]), int(match["under"])
    return f"{cardinal(under)}分之{cardinal(over)}" if under else None


def _spread(match: re.Match[str]) -> str:
    return f"{number(match['first'])}到{number(match['last'])}"


def _score(match: re.Match[str]) -> str:
    return f"{number(match['first'])}比{number(match['last'])}"


def _which(match: re.Match[str]) -> str:
    return f"第{number(match['amount'])}"


def _beside_letters(match: re.Match[str]) -> str:
    return digits(match[0]) if len(match[0]) > 2 else number(match[0])


RULES = (
    rule(
        "date",
        _date,
        r"(?<![\dA-Za-z])(?P<year>[12]\d{3})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?![\d.])",
    ),
    rule("date", _year, r"(?<!\d)(?P<year>\d{4}|\d{2})(?=年(?![前后间内以级多来]|的时间))"),
    rule(
        "time",
        _time,
        r"(?<![\d:.])(?P<hours>\d{1,2})[:：](?P<minutes>\d{2})(?:[:：](?P<seconds>\d{2}))?(?![\d:])",
    ),
    rule(
        "phone number",
        _phone,
        r"(?<![\dA-Za-z.,])(?:1\d{10}|1\d{2}[- ]\d{4}[- ]\d{4}|0\d{2,3}-\d{7,8}",
        r"|[48]00-?\d{3,4}-?\d{3,4})(?![\d.])",
    ),
    rule("money", _money, rf"{_SIGN}(?P<symbol>{_SYMBOLS})\s?{_AMOUNT}{_SCALE}(?![\d,])"),
    rule(
        "money",
        _money,
        rf"{_FREE}{_SIGN}{_AMOUNT}{_SCALE}\s?(?P<code>元|USD|CNY|RMB|EUR|JPY|GBP)(?![A-Za-z])",
    ),
    rule(
        "percent",
        _share,
        rf"{_SIGN}(?<![\d.]){_AMOUNT}[%％]?(?:[-–~～至到](?P<last>{_NUMBER}))?\s?(?P<mark>[%％‰])",
    ),
    rule(
        "measure",
        _unit,
        rf"{_FREE}{_SIGN}{_AMOUNT}(?:[-–~～](?P<last>{_NUMBER}))?\s?",
        rf"(?P<unit>{_either(UNITS)})(?![A-Za-z/²³])",
    ),
    rule("fraction", _fraction, r"(?<![\d/.A-Za-z])(?P<over>\d{1,3})/(?P<under>\d{1,3})(?![\d/])"),
    rule(
        "range",
        _spread,
        rf"{_FREE}(?P<first>{_NUMBER})(?:-|\s?[–~～—]\s?)(?P<last>{_NUMBER})(?![\d–-])",
    ),
    rule("score", _score, r"(?<![\d:：])(?P<first>\d{1,3})[:：](?P<last>\d{1,3})(?![\d:：])"),
    rule("ordinal", _which, r"第(?P<amount>\d+)"),
    rule("version", _version, r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.])"),
    rule(
        "number",
        _counted,
        rf"(?<![\d.,A-Za-z]){_AMOUNT}(?=[多余几]?[{''.join(sorted(CLASSIFIERS))}])",
    ),
    rule("letters and figures", _beside_letters, r"(?<=[A-Za-z])\d+|\d+(?=[A-Za-z])"),
    rule("number", _plain, rf"{_SIGN}{_AMOUNT}"),
    rule("sign", _sign, rf"[{re.escape(''.join(SIGNS))}]|[^\w\s\x00-\x7f]"),
)
