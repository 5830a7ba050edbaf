"""The messages of a conversation, checked and made plain before a template reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from loquent.errors import RequestError, UserError, nearest, together

ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")
_DEPTH = 64  # of values in values
_REASONING = ("reasoning_content", "thinking", "reasoning")  # one thing under three names


def checked(messages: object, source: str) -> list[dict[str, Any]]:
    """Plain copies of messages; raises RequestError with all faults.

    Roles are those of ROLES, and any that the template's source names in quotes. Keys whose value
    is None are left out, and the model's reasoning is there under each of its names.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes) or not messages:
        raise RequestError(
            "a conversation is a list of at least one message.",
            where="messages",
            fix='For example [{"role": "user", "content": "Hello"}].',
        )
    faults: list[UserError] = []
    made = [
        _message(each, f"messages[{place}]", source, faults) for place, each in enumerate(messages)
    ]
    if faults:
        raise together(RequestError, faults)
    return made


def plain(value: object, where: str) -> Any:
    """A copy that holds nothing but JSON's own types; raises RequestError with the place."""
    faults: list[UserError] = []
    made = _plain(value, where, faults, 0)
    if faults:
        raise together(RequestError, faults)
    return made


def _message(message: object, where: str, source: str, faults: list[UserError]) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        faults.append(RequestError("is no mapping with a role and a content.", where=where))
        return {}
    role = message.get("role")
    if not isinstance(role, str) or not role:
        faults.append(RequestError("has no role.", where=where, fix=f"One of {', '.join(ROLES)}."))
    elif role not in ROLES and f"'{role}'" not in source and f'"{role}"' not in source:
        faults.append(
            RequestError(f"unknown role {role!r}.", where=where, fix=nearest(role, ROLES))
        )
    content = message.get("content")
    if content is None and role != "assistant" and not message.get("tool_calls"):
        faults.append(RequestError("has no content.", where=where))
    elif isinstance(content, Sequence) and not isinstance(content, str | bytes):
        for place, part in enumerate(content):
            if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
                faults.append(
                    RequestError("is no mapping with a type.", where=f"{where}.content[{place}]")
                )
    elif content is not None and not isinstance(content, str):
        what = f"the content is neither text nor a list of parts but {type(content).__name__}."
        faults.append(RequestError(what, where=where))
        message = {**message, "content": None}
    made = {str(key): value for key, value in message.items() if value is not None}
    reasoning = next((made[name] for name in _REASONING if name in made), None)
    if reasoning is not None:
        made = {"thinking": reasoning, **made, "reasoning_content": reasoning}
    return {key: _plain(value, f"{where}.{key}", faults, 0) for key, value in made.items()}


def _plain(value: object, where: str, faults: list[UserError], depth: int) -> Any:
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str | int | float):  # a subclass, such as an enum's value
        kind = next(kind for kind in (str, int, float) if isinstance(value, kind))
        return kind(value) if kind is not str else str.__str__(value)
    if depth >= _DEPTH:
        faults.append(RequestError(f"is nested over {_DEPTH} levels deep.", where=where[:200]))
    elif isinstance(value, Mapping):
        return {
            _plain(key, where, faults, depth + 1): _plain(
                inner, f"{where}.{key}", faults, depth + 1
            )
            for key, inner in value.items()
        }
    elif isinstance(value, list | tuple):
        return [
            _plain(inner, f"{where}[{place}]", faults, depth + 1)
            for place, inner in enumerate(value)
        ]
    else:
        faults.append(RequestError(f"is no plain data but {type(value).__name__}.", where=where))
    return None
