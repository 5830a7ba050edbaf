"""Chat templates: a list of messages becomes the text that a model was trained to continue."""

from collections.abc import Mapping, Sequence
from types import CodeType, TracebackType
from typing import Any

from loquent.errors import CheckpointError, RequestError
from loquent.text.messages import checked, plain

LIMIT_CHARACTERS = 64 * 1024  # of a template; the longest public ones have about 25,000
_FILE = "<template>"  # what Jinja calls a template without a file


class ChatTemplate:
    """A chat template in Jinja, rendered as `transformers` renders it, within 1 s and 64 MB."""

    def __init__(
        self,
        source: str,
        *,
        tools: str | None = None,
        pieces: Mapping[str, str] | None = None,
        where: str = "chat template",
    ) -> None:
        """Keep the `source`, and that of another template for conversations with `tools`.

        `pieces` are the special tokens that a template may name, such as bos_token. Nothing is
        compiled before the first conversation: a damaged template hinders nothing else.
        """
        self.source = source
        self.tools = tools
        self.pieces = dict(pieces or {})
        self.where = where
        self._compiled: dict[str, CodeType] = {}

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        values: Mapping[str, Any] | None = None,
    ) -> str:
        """The text of a conversation; `values` are further names that the template may read.

        Raises RequestError that names every fault of the messages or says why the template refuses
        them, and CheckpointError where the template itself fails or wants more than its limits.
        """
        source = self.tools if tools and self.tools else self.source
        names = {
            **self.pieces,
            "messages": checked(messages, source),
            "tools": plain(tools, "tools"),
            "documents": plain(documents, "documents"),
            "add_generation_prompt": add_generation_prompt,
            **plain(dict(values or {}), "values"),
        }
        return self._rendered(source, names)

    def _rendered(self, source: str, names: Mapping[str, Any]) -> str:
        # Jinja takes long to import, and only conversations need it.
        from jinja2.exceptions import SecurityError, TemplateSyntaxError  # noqa: PLC0415

        from loquent.text.budget import Budget, Exhausted  # noqa: PLC0415
        from loquent.text.offered import Refusal  # noqa: PLC0415
        from loquent.text.sandbox import Sandbox  # noqa: PLC0415

        where = self.where
        if len(source) > LIMIT_CHARACTERS:
            raise CheckpointError(f"has over {LIMIT_CHARACTERS} characters.", where=where)
        try:
            sandbox = Sandbox(Budget())
            if source not in self._compiled:
                self._compiled[source] = sandbox.compiled(source)
            code = self._compiled[source]
            template = sandbox.template_class.from_code(sandbox, code, dict(sandbox.globals))
            return template.render(names)
        except Refusal as fault:
            raise RequestError(
                f"the chat template refuses this conversation: {fault}", where="messages"
            ) from fault
        except Exhausted as fault:
            raise CheckpointError(
                f"wants {fault} than a chat template may take (1 s, 64 MB).", where=where
            ) from fault
        except TemplateSyntaxError as fault:
            message = (fault.message or "").rstrip(".")
            raise CheckpointError(f"{message}.", where=f"{where}:{fault.lineno}") from fault
        except SecurityError as fault:
            what = f"does what a chat template may not: {_short(fault)}."
            raise CheckpointError(what, where=_place(where, fault)) from fault
        except Exception as fault:
            what = f"failed: {type(fault).__name__}: {_short(fault)}."
            raise CheckpointError(what, where=_place(where, fault)) from fault


def _short(fault: BaseException) -> str:
    return " ".join(str(fault).split()).rstrip(".")[:300]


def _place(where: str, fault: BaseException) -> str:
    """The last line of the template that was executed."""
    line = 0
    trace: TracebackType | None = fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{where}:{line}" if line else where
