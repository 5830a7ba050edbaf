"""What one plan asks for otherwise than another."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from loquent.runs.plan import BUDGETS, Plan, plain

_MISSING = object()
_FREE = ("device", "out", "save.", "training.micro_batch", "evaluate.patience")


def differences(old: Mapping[str, Any], new: Plan) -> list[str]:
    """What a plan asks for otherwise than the one of a run's folder, in words.

    A larger budget, another device, other times of saving and smaller micro-batches change nothing
    of what was learned so far, so that a run may go on with them.
    """
    return [
        f"{name} is {_told(before)} there, but {_told(now)} is asked for"
        for name, before, now in _changed(old, new)
        if not _harmless(name, before, now)
    ]


def same(old: Mapping[str, Any], new: Plan) -> bool:
    """Whether a plan asks for exactly what the one of a run's folder did."""
    return next(_changed(old, new), None) is None


def _changed(old: Mapping[str, Any], new: Plan) -> Iterator[tuple[str, Any, Any]]:
    """Where they differ; a run of before there was a setting has that setting's default."""
    for name, before, now in _unequal(old, plain(new), ""):
        if before is not _MISSING or now != _unset(name):
            yield name, before, now


def _unset(name: str) -> Any:
    """What a setting is where nothing is said of it."""
    owner: Any = Plan
    *parts, last = name.split(".")
    for part in parts:
        owner = get_type_hints(owner)[part]
    default = {each.name: each.default for each in fields(owner)}
    return default.get(last, _MISSING)


def _harmless(name: str, before: Any, now: Any) -> bool:
    if name.startswith(_FREE):
        return True
    budget = name.removeprefix("training.")
    if budget not in BUDGETS or not name.startswith("training."):
        return False
    numbers = isinstance(before, int | float) and isinstance(now, int | float)
    return numbers and now > before > 0


def _unequal(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys((*old, *new)):
        before, now = old.get(name, _MISSING), new.get(name, _MISSING)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _unequal(before, now, f"{prefix}{name}.")
        elif _comparable(before) != _comparable(now):
            yield f"{prefix}{name}", before, now


def _comparable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _told(value: Any) -> str:
    return "not set" if value is _MISSING else repr(_comparable(value))
