"""Jinja for chat templates of unknown origin: nothing is executed, and everything is paid for.

Jinja's own sandbox keeps a template from Python's insides, but not from taking all time and
memory. Here only the functions, filters and methods of the tables below can be called, and each
operation that makes a value pays for it (see Budget), before it is done where it could be large.
"""

import itertools
import json
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, pass_context

from loquent.text import allowed, costs
from loquent.text.budget import Budget, Exhausted, size

_TOKENS = 16_000  # of a template's source; the longest public ones have about 8,000
_CHAIN = 8  # comparisons in one expression
_DEPTH = 64  # calls inside calls


class Refusal(TemplateError):  # noqa: N818 - no error, but what a template says
    """The template itself refuses the messages, with `raise_exception`."""


class _Generation(Extension):
    """`{% generation %}` … `{% endgeneration %}` marks what the model wrote; here it is a scope."""

    tags = {"generation"}  # noqa: RUF012 - so declared by Jinja

    def parse(self, parser: Parser) -> nodes.Node:
        """The statements up to the end tag."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Paying(CodeGenerator):
    """Wraps what Jinja compiles to plain Python operators in calls that pay."""

    def _wrapped(
        self, method: str, visit: Callable[..., None], node: nodes.Node, frame: Frame
    ) -> None:
        self.write(f"environment.{method}(")
        visit(node, frame)
        self.write(")")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._wrapped("pay", super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._wrapped("pay", super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        if node.ctx == "load":
            self._wrapped("pay", super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.join_texts((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802
        if len(node.ops) > _CHAIN:
            raise SecurityError(f"over {_CHAIN} comparisons in a row")
        self._wrapped("step", super().visit_Compare, node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        if isinstance(node.arg, nodes.Slice):
            self._wrapped("pay_slice", super().visit_Getitem, node, frame)
        else:
            super().visit_Getitem(node, frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        counted = nodes.EnvironmentAttribute("counted")
        node.iter = nodes.Call(counted, [node.iter], [], None, None, lineno=node.lineno)
        super().visit_For(node, frame)


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja environment for one rendering."""

    code_generator_class = _Paying
    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "**", "%"))

    def __init__(self, budget: Budget) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # constants would be folded, and paid by nobody, before rendering
            cache_size=0,
            finalize=_written,
            extensions=[_Generation, LoopControlExtension],
        )
        self.budget = budget
        self.depth = 0
        self.filters = FILTERS
        self.tests = TESTS
        self.globals = dict(GLOBALS)

    def compiled(self, source: str) -> types.CodeType:
        """A template as code, which any sandbox may execute."""
        tokens = (kind for _, kind, _ in self.lex(source) if kind != "whitespace")
        if next(itertools.islice(tokens, _TOKENS, None), None) is not None:
            raise Exhausted("more words")
        return self.compile(source)

    # What compiled templates call.

    def pay(self, value: Any) -> Any:
        """Pay for a container."""
        return self.budget.pay(value)

    def step(self, value: Any) -> Any:
        """Pay for one step."""
        self.budget.spend()
        return value

    def pay_slice(self, value: Any) -> Any:
        """Pay for a part of a value; what is in a list was paid before."""
        if isinstance(value, str):
            return self.budget.pay(value)
        self.budget.spend(64 + 8 * len(value))
        return value

    def counted(self, values: Iterable[Any]) -> Iterator[Any]:
        """The values of a loop, each of which is a step."""
        for value in values:
            self.budget.spend()
            yield value

    def join_texts(self, values: Iterable[Any]) -> str:
        """The operator `~`."""
        texts = []
        for value in values:
            text = value if isinstance(value, str) else str(value)
            self.budget.spend(64 + size(text))
            texts.append(text)
        return "".join(texts)

    def concat(self, parts: Iterable[str]) -> str:
        """All output of a template, a macro or a block."""
        texts = []
        for part in parts:
            self.budget.spend(32 + size(part))
            texts.append(part)
        return "".join(texts)

    # What Jinja's sandbox calls.

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An attribute, or else an item."""
        self.budget.spend()
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item, or else an attribute."""
        self.budget.spend()
        return super().getitem(obj, argument)

    def wrap_str_format(self, value: Any) -> Any:
        """`str.format`, sandboxed, and known to be so."""
        inner = super().wrap_str_format(value)
        return None if inner is None else _Format(value.__self__, inner)

    def is_safe_callable(self, obj: Any) -> bool:
        """Whether one of the tables names what is called."""
        if (
            isinstance(obj, _CALLABLE)
            or obj == self.counted
            or any(obj is each for each in GLOBALS.values())
        ):
            return True
        owner = getattr(obj, "__self__", None)
        if isinstance(obj, types.BuiltinMethodType | types.MethodType) and owner is not None:
            return allowed.method(owner, obj.__name__)
        return False

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function, a macro or a method."""
        if not self.is_safe_callable(obj):
            raise SecurityError(
                f"{getattr(obj, '__name__', type(obj).__name__)!r} cannot be called"
            )
        owner = obj.text if isinstance(obj, _Format) else getattr(obj, "__self__", None)
        if isinstance(owner, str):
            name = "format" if isinstance(obj, _Format) else obj.__name__
            args = costs.before_method(self.budget, name, owner, args, kwargs)
        elif isinstance(obj, LoopContext):
            args = (self.counted(args[0]), *args[1:]) if args else args
        self.depth += 1
        if self.depth > _DEPTH:
            raise SecurityError(f"over {_DEPTH} calls inside calls")
        try:
            return self.budget.pay(context.call(obj, *args, **kwargs))
        finally:
            self.depth -= 1

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """A binary operator."""
        costs.before_operator(self.budget, operator, left, right)
        return self.budget.pay(super().call_binop(context, operator, left, right))


class _Format:
    """`format` of a text."""

    def __init__(self, text: str, inner: Callable[..., str]) -> None:
        self.text = text
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        return self._inner(*args, **kwargs)


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


@pass_context
def _written(context: Context, value: Any) -> str:
    """A value as it is written out."""
    if isinstance(value, str):
        return value
    text = str(value)
    budget: Budget = context.environment.budget  # type: ignore[attr-defined]
    budget.spend(64 + size(text))
    return text


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


_CALLABLE = (Macro, LoopContext, BlockReference, Cycler, Joiner, Undefined, _Format)

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
