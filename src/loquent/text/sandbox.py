"""Jinja for chat templates of unknown origin: nothing is executed, and everything is paid for.

Jinja's own sandbox keeps a template from Python's insides, but not from taking all time and
memory. Here only the functions, filters and methods of the tables can be called, and each
operation that makes a value pays for it (see Budget), before it is done where it could be large.
"""

import itertools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.ext import LoopControlExtension
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, pass_context

from loquent.text import allowed, costs
from loquent.text.budget import Budget, Exhausted, size
from loquent.text.offered import FILTERS, GLOBALS, TESTS
from loquent.text.paying import Generation, Paying

_TOKENS = 16_000  # of a template's source; the longest public ones have about 8,000
_DEPTH = 64  # calls inside calls


class _Format:
    """`format` of a text."""

    def __init__(self, text: str, inner: Callable[..., str]) -> None:
        self.text = text
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        return self._inner(*args, **kwargs)


_CALLABLE = (Macro, LoopContext, BlockReference, Cycler, Joiner, Undefined, _Format)


@pass_context
def _written(context: Context, value: Any) -> str:
    """A value as it is written out."""
    if isinstance(value, str):
        return value
    text = str(value)
    budget: Budget = context.environment.budget  # type: ignore[attr-defined]
    budget.spend(64 + size(text))
    return text


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja environment for one rendering."""

    code_generator_class = Paying
    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "**", "%"))

    def __init__(self, budget: Budget) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # constants would be folded, and paid by nobody, before rendering
            cache_size=0,
            finalize=_written,
            extensions=[Generation, LoopControlExtension],
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
