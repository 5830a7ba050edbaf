"""Chat templates: a list of messages becomes the text that a model was trained to continue."""

from collections.abc import Mapping, Sequence
from typing import Any


class ChatTemplate:
    """A chat template, rendered as `transformers` does, within 1 s and 64 MB."""

    def __init__(
        self,
        source: str,
        *,
        tools: str | None = None,
        pieces: Mapping[str, str] | None = None,
        where: str = "chat template",
    ) -> None:
        """Keep the Jinja `source`; `pieces` are bos_token, eos_token …, which it may name."""
        self.source = source
        self.tools = tools
        self.pieces = dict(pieces or {})
        self.where = where

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

        Raises RequestError that names every fault of the messages, and CheckpointError where the
        template itself fails or wants more than its limits.
        """
        raise NotImplementedError
