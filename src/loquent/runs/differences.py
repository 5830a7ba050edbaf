"""What one plan asks for otherwise than another."""

from collections.abc import Iterator, Mapping
from typing import Any

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
        for name, before, now in _unequal(old, plain(new), "")
        if not _harmless(name, before, now)
    ]


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
