"""Conversations as lists of messages with a role and a content, whatever they came as."""

from collections.abc import Mapping
from typing import Any

from loquent.data.names import ROLES
from loquent.errors import DataError, nearest


def messages_of(listed: list[Any], name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The messages of a record, with its tools and its system text where it has them.

    ShareGPT's `from` and `value` become `role` and `content`. Raises DataError.
    """
    made: dict[str, Any] = {
        "messages": [message(each, f"{name}[{place}]") for place, each in enumerate(listed)]
    }
    system = values.get("system")
    if not made["messages"]:
        raise DataError(f"{name!r} is an empty list.")
    if isinstance(system, str) and system and made["messages"][0]["role"] != "system":
        made["messages"].insert(0, {"role": "system", "content": system})
    if values.get("tools"):
        made["tools"] = values["tools"]
    return made


def message(value: Any, where: str) -> dict[str, Any]:
    """One message under the names that chat templates read; raises DataError."""
    if not isinstance(value, Mapping):
        raise DataError(f"{where} is {type(value).__name__}, not a role and a content.")
    if "from" in value and "value" in value:
        known = ROLES.get(str(value["from"]))
        if known is None:
            advice = nearest(str(value["from"]), ROLES)
            raise DataError(f"{where}: unknown speaker {value['from']!r}.", fix=advice)
        return {"role": known, "content": value["value"]}
    if not isinstance(value.get("role"), str):
        raise DataError(f"{where} has no role.")
    return dict(value)


def prompted(question: Any, answer: Any) -> dict[str, Any]:
    """A prompt and its completion; where both are lists of messages, one conversation.

    Answers that were part of the prompt are marked by `weight` 0: they are not learned. Raises
    DataError.
    """
    if isinstance(question, list) and isinstance(answer, list):
        before = [message(each, f"prompt[{place}]") for place, each in enumerate(question)]
        for each in before:
            if each["role"] == "assistant":
                each.setdefault("weight", 0)
        after = [message(each, f"completion[{place}]") for place, each in enumerate(answer)]
        return {"messages": before + after}
    for name, value in (("prompt", question), ("completion", answer)):
        if not isinstance(value, str):
            kind = "missing" if value is None else f"{type(value).__name__} {value!r:.40}"
            raise DataError(f"{name!r} is {kind}, not text.")
    return {"prompt": question, "completion": answer}
