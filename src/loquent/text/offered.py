"""What a chat template finds by name: functions, filters and tests, all of which are paid for."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from jinja2.exceptions import SecurityError, TemplateError
from jinja2.runtime import Context
from jinja2.utils import Cycler, Joiner, Namespace, pass_context

from loquent.text import allowed, costs
from loquent.text.budget import Budget


class Refusal(TemplateError):  # noqa: N818 - no error, but what a template says
    """The template itself refuses the messages, with `raise_exception`."""


class _Names(Namespace):
    """`namespace(...)`, without names that begin with an underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # `self` may be a name in it
        self, *rest = args
        names = dict(*rest, **kwargs)
        for name in names:
            _check_name(name)
        Namespace.__init__(self, names)

    def __repr__(self) -> str:
        return "<namespace>"  # what is in it may be there a million times

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a name in a namespace begins with an underscore: {name!r}")


def _raise_exception(message: object = "") -> NoReturn:
    raise Refusal(str(message))


def _strftime_now(pattern: str) -> str:
    if (
        len(pattern) > 256
        or any(  # C libraries take a width after the percent sign
            part.lstrip("_-^#+")[:1].isdigit() for part in pattern.split("%")[1:]
        )
    ):
        raise SecurityError("the pattern of strftime_now is too long or has widths")
    return datetime.now().strftime(pattern)


def _dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    return dict(*args, **kwargs)


def _range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > 100_000:
        raise SecurityError("range of over 100,000 numbers")
    return numbers


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without escapes for HTML, as `transformers` has it."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is paid for."""
    passed = allowed.passes(function)

    @pass_context
    def paying(context: Context, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        budget: Budget = context.environment.budget  # type: ignore[attr-defined]
        value = costs.before_filter(budget, name, value, args, kwargs)
        return budget.pay(function(*passed(context), value, *args, **kwargs))

    return paying


def _test(function: Callable[..., Any]) -> Callable[..., Any]:
    """A test that is paid for."""
    passed = allowed.passes(function)

    @pass_context
    def paying(context: Context, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        context.environment.budget.spend()  # type: ignore[attr-defined]
        return function(*passed(context), value, *args, **kwargs)

    return paying


FILTERS: dict[str, Any] = {
    **{name: _filter(name, function) for name, function in allowed.FILTERS.items()},
    "tojson": _filter("tojson", _tojson),
}
TESTS: dict[str, Any] = {name: _test(function) for name, function in allowed.TESTS.items()}
GLOBALS: Mapping[str, Any] = {
    "raise_exception": _raise_exception,
    "strftime_now": _strftime_now,
    "range": _range,
    "dict": _dict,
    "namespace": _Names,
    "cycler": Cycler,
    "joiner": Joiner,
}
