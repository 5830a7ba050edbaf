"""What Jinja compiles to plain Python operators, compiled to calls that pay for their results."""

from collections.abc import Callable

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser

_CHAIN = 8  # comparisons in one expression


class Generation(Extension):
    """`{% generation %}` … `{% endgeneration %}` marks what the model wrote; here it is a scope."""

    tags = {"generation"}  # noqa: RUF012 - so declared by Jinja

    def parse(self, parser: Parser) -> nodes.Node:
        """The statements up to the end tag."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class Paying(CodeGenerator):
    """Wraps what Jinja compiles to plain Python operators in calls that pay."""

    def _wrapped(
        self, method: str, visit: Callable[..., None], node: nodes.Node, frame: Frame
    ) -> None:
        self.write(f"environment.{method}(")
        visit(node, frame)
        self.write(")")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        """A list is paid."""
        self._wrapped("pay", super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        """A dictionary is paid."""
        self._wrapped("pay", super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        """A tuple is paid, unless it names the targets of an assignment."""
        if node.ctx == "load":
            self._wrapped("pay", super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        """The operator `~` is paid."""
        self.write("environment.join_texts((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802
        """A comparison is a step."""
        if len(node.ops) > _CHAIN:
            raise SecurityError(f"over {_CHAIN} comparisons in a row")
        self._wrapped("step", super().visit_Compare, node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        """A slice is paid."""
        if isinstance(node.arg, nodes.Slice):
            self._wrapped("pay_slice", super().visit_Getitem, node, frame)
        else:
            super().visit_Getitem(node, frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        """Each turn of a loop is a step."""
        counted = nodes.EnvironmentAttribute("counted")
        node.iter = nodes.Call(counted, [node.iter], [], None, None, lineno=node.lineno)
        super().visit_For(node, frame)
