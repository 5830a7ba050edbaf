"""What the calls of a chat template cost, paid before they are made where that could be much."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2.exceptions import SecurityError

from loquent.text.budget import Budget, size

_BITS = 4096  # of a product
_DIGITS = 4000  # of a number in a text
_WIDTH = 10_000  # columns, parts, and spaces to indent by
_OBJECT_BYTES = 88  # of one character as a text of its own

_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]|\s+")
_NUMBERS = re.compile(r"\d{4,}")
_NESTED = re.compile(r"\{[^{}]*\{")


def before_operator(budget: Budget, operator: str, left: Any, right: Any) -> None:
    """Pay for an operator whose result may be large."""
    if operator == "*":
        for value, times in ((left, right), (right, left)):
            if isinstance(value, str | list | tuple) and isinstance(times, int):
                budget.spend(budget.weight(value) * max(times, 0))
                return
        _check_bits(_bits(left) + _bits(right))
    elif operator == "**":
        _check_bits(max(_bits(left), 1) * (abs(right) if isinstance(right, int) else 1))
    elif operator == "%" and isinstance(left, str):
        _pay_format(budget, left, (right,))
    elif isinstance(left, str | list | tuple):
        budget.spend(budget.weight(left))


def before_method(
    budget: Budget, name: str, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Pay for a method of a text; the arguments to call it with."""
    given = (*args, *kwargs.values())
    if name in ("center", "ljust", "rjust", "zfill"):
        _pay_width(budget, args[0] if args else 0)
    elif name in ("split", "rsplit", "splitlines"):
        _pay_split(budget, text, args[0] if args and name != "splitlines" else kwargs.get("sep"))
    elif name == "replace":
        _pay_replace(budget, text, args)
    elif name == "join" and args:
        return (_pay_join(budget, text, args[0]), *args[1:])
    elif name == "format":
        _pay_format(budget, text, given)
    else:
        budget.spend(3 * size(text))  # a capital may be three letters
    _check_search(budget, text, [each for each in given if isinstance(each, str)])
    return args


def before_filter(
    budget: Budget, name: str, value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Pay for a filter; the value to call it with."""
    budget.spend()
    if isinstance(value, str):
        each = _OBJECT_BYTES if name in _EACH else 0
        budget.spend(3 * size(value) + each * len(value))
    if name == "join":
        joiner = str(args[0] if args else kwargs.get("d", ""))
        return _pay_join(budget, joiner, value, written=True)
    cost = _COSTS.get(name)
    if cost is not None:
        cost(budget, value, [*args, *kwargs.values()])
    return value


_EACH = {"batch", "dictsort", "groupby", "join", "list", "map", "max", "min", "reject", "reverse"}
_EACH |= {"rejectattr", "select", "selectattr", "slice", "sort", "sum", "title", "unique"}


def _numbers(given: Iterable[Any]) -> list[int]:
    return [each for each in given if isinstance(each, int)]


def _center(budget: Budget, value: Any, given: list[Any]) -> None:
    _pay_width(budget, max(_numbers(given), default=0))


def _parts(budget: Budget, value: Any, given: list[Any]) -> None:
    """`batch` and `slice`, which fill up with a value."""
    parts = max(_numbers(given[:1]), default=0)
    _pay_width(budget, parts)
    budget.spend(parts * sum(budget.weight(each) for each in given[1:]))


def _escape(budget: Budget, value: Any, given: list[Any]) -> None:
    weight = budget.weight(value)
    budget.spend(weight if weight < 2**20 else 6 * weight)


def _json(budget: Budget, value: Any, given: list[Any]) -> None:
    _escape(budget, value, given)
    widths = [len(each) if isinstance(each, str) else each for each in given]
    width = max(_numbers(widths), default=0)
    if width:
        _pay_indent(budget, value, width)


def _indent(budget: Budget, value: Any, given: list[Any]) -> None:
    widths = [len(each) if isinstance(each, str) else each for each in given]
    width = max([4, *_numbers(widths)])
    _pay_width(budget, width)
    budget.spend(4 * width * (str(value).count("\n") + 1))


def _sum(budget: Budget, value: Any, given: list[Any]) -> None:
    if any(isinstance(each, list | tuple) for each in given):
        raise SecurityError("the filter 'sum' adds numbers only")


def _number(budget: Budget, value: Any, given: list[Any]) -> None:
    if max(map(abs, _numbers(given)), default=0) > 100:
        raise SecurityError("a precision or base over 100")
    if isinstance(value, str) and len(value) > _DIGITS:
        raise SecurityError(f"a number of over {_DIGITS} digits")


_COSTS: dict[str, Callable[[Budget, Any, list[Any]], None]] = {
    "batch": _parts,
    "center": _center,
    "e": _escape,
    "escape": _escape,
    "float": lambda budget, value, given: _number(budget, value, []),
    "format": lambda budget, value, given: _pay_format(budget, str(value), given),
    "indent": _indent,
    "int": lambda budget, value, given: _number(budget, value, given[1:]),
    "replace": lambda budget, value, given: _pay_replace(budget, str(value), given),
    "round": _number,
    "slice": _parts,
    "sum": _sum,
    "tojson": _json,
}


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 1


def _check_bits(bits: int) -> None:
    if bits > _BITS:
        raise SecurityError(f"a number of over {_BITS} bits")


def _pay_width(budget: Budget, width: Any) -> None:
    if isinstance(width, int) and width > _WIDTH:
        raise SecurityError(f"a width of over {_WIDTH}")
    budget.spend(4 * width if isinstance(width, int) and width > 0 else 0)


def _pay_split(budget: Budget, text: str, separator: Any) -> None:
    if isinstance(separator, str) and separator:
        parts = text.count(separator)
    else:
        parts = sum(1 for _ in _BREAKS.finditer(text))
    budget.spend(size(text) + 80 * (parts + 1))


def _pay_replace(budget: Budget, text: str, args: Iterable[Any]) -> None:
    old, new = ([str(each) for each in args] + ["", ""])[:2]
    _check_search(budget, text, [old])
    times = text.count(old)
    wide = 1 if text.isascii() and new.isascii() else 4
    budget.spend(wide * (len(text) + times * len(new)))


def _pay_join(budget: Budget, joiner: str, values: Any, *, written: bool = False) -> list[Any]:
    """The values to join, which may come from a generator, as a list that has been paid."""
    listed = []
    for value in values:
        text = str(value) if written and isinstance(value, int | float | list | tuple) else value
        budget.spend(size(joiner) + budget.weight(text))
        listed.append(value)
    return listed


def _pay_indent(budget: Budget, value: Any, width: int) -> None:
    """Pay for the spaces in front of each line of JSON."""
    if width > 64:
        raise SecurityError("JSON indented by over 64 columns")
    waiting = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        budget.spend(width * depth)
        inner = each.values() if isinstance(each, Mapping) else each
        if isinstance(each, Mapping | list | tuple):
            waiting.extend((one, depth + 1) for one in inner)


def _pay_format(budget: Budget, text: str, values: Iterable[Any]) -> None:
    """Pay for every place of a format with all values, and for every width as if it were used."""
    if _NESTED.search(text):
        raise SecurityError("a format inside a format")
    given = list(values)
    places = text.count("%") + text.count("{")
    widths = sum(int(number[:10]) for number in _NUMBERS.findall(text))
    if "*" in text:
        flat = [inner for each in given for inner in (each if isinstance(each, tuple) else (each,))]
        widths += sum(abs(each) for each in flat if isinstance(each, int))
    budget.spend(size(text) + 4 * widths + places * (1024 + budget.weight(given)))


def _check_search(budget: Budget, text: str, wanted: Iterable[str]) -> None:
    """Searching takes the product of both lengths at worst."""
    if any(len(each) * len(text) > 2**27 for each in wanted):
        raise SecurityError("a search for a long text in a long text")
    budget.spend()
