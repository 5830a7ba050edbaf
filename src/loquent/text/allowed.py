"""What a chat template may call."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2.filters import FILTERS as ALL_FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.tests import TESTS as ALL_TESTS
from jinja2.utils import Cycler

FILTERS: Mapping[str, Callable[..., Any]] = {
    name: ALL_FILTERS[name]
    for name in (
        *("abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort"),
        *("e", "escape", "first", "float", "format", "groupby", "indent", "int", "items", "join"),
        *("last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr"),
        *("replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "string"),
        *("sum", "title", "trim", "truncate", "unique", "upper"),
    )
}
TESTS: Mapping[str, Any] = ALL_TESTS

_TEXT = {
    *("capitalize", "casefold", "center", "count", "endswith", "find", "format", "index"),
    *("isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower"),
    *("isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower"),
    *("lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex"),
    *("rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip"),
    *("swapcase", "title", "upper", "zfill"),
}
METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, frozenset(_TEXT)),
    (dict, frozenset(("get", "items", "keys", "values", "copy"))),
    (list, frozenset(("index", "count", "copy"))),
    (tuple, frozenset(("index", "count"))),
    (LoopContext, frozenset(("cycle", "changed"))),
    (Cycler, frozenset(("next", "reset"))),
)


def method(owner: object, name: str) -> bool:
    """Whether a template may call this method."""
    return any(isinstance(owner, kind) and name in names for kind, names in METHODS)


def passes(function: Callable[..., Any]) -> Callable[[Context], tuple[Any, ...]]:
    """What Jinja passes to a filter in front of its arguments."""
    marked = getattr(function, "jinja_pass_arg", None)
    kinds: dict[str, Callable[[Context], tuple[Any, ...]]] = {
        "context": lambda context: (context,),
        "eval_context": lambda context: (context.eval_ctx,),
        "environment": lambda context: (context.environment,),
    }
    return kinds.get(getattr(marked, "name", ""), lambda context: ())
