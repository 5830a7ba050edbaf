"""The forms in which records come, brought to six, whatever their columns are called."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from loquent.data import names
from loquent.data.conversations import messages_of, prompted
from loquent.data.reading import Record
from loquent.errors import DataError, nearest

Kind = Literal["messages", "prompt", "text", "pair", "label", "preference"]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns hold what, where their names do not tell it; empty: by the usual names."""

    text: str = ""
    label: str = ""
    source: str = ""
    target: str = ""
    prompt: str = ""
    completion: str = ""


USUAL = Columns()


def kind_of(record: Record, columns: Columns = USUAL) -> Kind:
    """What a record is; raises DataError, which names its columns, where it is none of the six."""
    return understood(record, columns)[0]


def normal(record: Record, columns: Columns = USUAL) -> Record:
    """The same record with the columns of its kind alone, under their normal names.

    `messages` and, where there are any, `tools`; `prompt` and `completion`; `text` (and the flags
    of a running text's pieces); `source` and `target`; `text` and `label` (a string, or a list of
    them); `prompt`, `chosen` and `rejected`. Raises DataError where a value has not the right type.
    """
    return replace(record, values=understood(record, columns)[1])


def understood(record: Record, columns: Columns = USUAL) -> tuple[Kind, dict[str, Any]]:
    """The kind of a record and its normal values; raises DataError where it has none."""
    values = record.values
    try:
        if (named := _named(values, columns)) is not None:
            return named
        if (found := _by_usual_names(_lowered(values), values)) is not None:
            return found
        inner = values.get("translation")
        if found := _pair_of_languages(inner if isinstance(inner, Mapping) else values):
            return found
        known = ", ".join(repr(str(name)) for name in values) or "none"
        raise DataError(f"its columns are {known}; what they hold cannot be told.", fix=_FIX)
    except DataError as fault:
        raise DataError(fault.what, where=record.where, fix=fault.fix) from fault


_FIX = "Name them, for example text and label, or source and target; see docs/data.md."


def _named(values: Mapping[str, Any], columns: Columns) -> tuple[Kind, dict[str, Any]] | None:
    """By the names that the caller gave."""
    for name in (value for value in vars(columns).values() if value):
        if name not in values:
            raise DataError(f"has no column {name!r}.", fix=nearest(name, map(str, values)))
    if columns.source and columns.target:
        return "pair", _pair(values[columns.source], values[columns.target])
    if columns.prompt and columns.completion:
        made = prompted(values[columns.prompt], values[columns.completion])
        return ("messages" if "messages" in made else "prompt"), made
    if columns.label:
        text = columns.text or _first(names.TEXT, _lowered(values))
        if not text:
            raise DataError(f"which column is the text beside {columns.label!r}?", fix=_FIX)
        return "label", {"text": _text(values[text], text), "label": label(values[columns.label])}
    if columns.text:
        found = _first(names.LABEL, _lowered(values))
        text = _text(values[columns.text], columns.text)
        if found and found != columns.text:
            return "label", {"text": text, "label": label(values[found])}
        return "text", {"text": text}
    return None


def _by_usual_names(
    keys: Mapping[str, str], values: Mapping[str, Any]
) -> tuple[Kind, dict[str, Any]] | None:
    """By usual names; `keys` gives each name in lower case as the record writes it."""
    listed = _first(names.MESSAGES, keys)
    if listed and isinstance(values[listed], list):
        return "messages", messages_of(values[listed], listed, values)
    if "chosen" in keys and "rejected" in keys:
        return "preference", _preference(keys, values)
    for one, other in names.PROMPTS:
        if one in keys and other in keys:
            return _prompt(keys, values, one, other)
    for one, other in names.PAIRS:
        if one in keys and other in keys and not _is_class(values[keys[other]]):
            return "pair", _pair(values[keys[one]], values[keys[other]])
    text, found = _first(names.TEXT, keys), _first(names.LABEL, keys)
    if text and found and text != found:
        return "label", {"text": _text(values[text], text), "label": label(values[found])}
    if text:
        flags = {name: True for name in ("continued", "continues") if values.get(name) is True}
        return "text", {"text": _text(values[text], text), **flags}
    return None


def _prompt(
    keys: Mapping[str, str], values: Mapping[str, Any], one: str, other: str
) -> tuple[Kind, dict[str, Any]]:
    question, answer = values[keys[one]], values[keys[other]]
    if one == "instruction" and "input" in keys and values[keys["input"]]:  # Alpaca
        question = f"{_text(question, one)}\n\n{_text(values[keys['input']], 'input')}"
    if one == "prompt" and other == "completion" and isinstance(values.get("label"), bool):
        # TRL's unpaired preferences: a completion that was liked or disliked
        which = "chosen" if values["label"] else "rejected"
        return "preference", {"prompt": question, which: answer}
    made = prompted(question, answer)
    system = values.get(keys.get("system", "system"))
    if isinstance(system, str) and system and "prompt" in made:
        said = [("system", system), ("user", made["prompt"]), ("assistant", made["completion"])]
        return "messages", {"messages": [{"role": who, "content": text} for who, text in said]}
    return ("messages" if "messages" in made else "prompt"), made


def _preference(keys: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: values[keys[name]] for name in ("chosen", "rejected")}
    for name, value in made.items():
        if not isinstance(value, str | list):
            raise _wrong(name, value, "text or a list of messages")
    return {"prompt": values[keys["prompt"]] if "prompt" in keys else "", **made}


def _pair_of_languages(values: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]] | None:
    """Two columns named by languages, the first of which is the source."""
    found = [key for key in values if names.is_language(str(key))]
    if len(found) != 2:
        return None
    return "pair", _pair(values[found[0]], values[found[1]])


def _pair(source: Any, target: Any) -> dict[str, Any]:
    if isinstance(source, list) and all(isinstance(each, str) for each in source):
        source = " ".join(source)  # a text as a list of its sentences
    if isinstance(target, list) and target and all(isinstance(each, str) for each in target):
        target = target[0]  # of several that are equally right
    return {"source": _text(source, "source"), "target": _text(target, "target")}


def label(value: Any) -> str | list[str]:
    """A label as a string, several as a list; raises DataError where there is none."""
    if isinstance(value, list | tuple):
        return [one for each in value if isinstance(one := label(each), str)]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isnan(value):
        raise DataError("the label is not a number.")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float) and (text := str(value).strip()):
        return text
    raise DataError("has no label." if value in (None, "") else f"the label is {value!r:.40}.")


def _is_class(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(name, value, "text")


def _wrong(name: str, value: Any, wanted: str) -> DataError:
    kind = "missing" if value is None else f"{type(value).__name__} {value!r:.40}"
    return DataError(f"{name!r} is {kind}, not {wanted}.")


def _lowered(values: Mapping[str, Any]) -> dict[str, str]:
    """The record's own spelling of each name, by the name in lower case."""
    return {str(key).lower(): key for key in values}


def _first(known: Sequence[str], keys: Mapping[str, str]) -> str:
    """The record's own spelling of the first known name that it has."""
    return next((keys[name] for name in known if name in keys), "")
