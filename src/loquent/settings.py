"""Strict reading: a mapping or TOML file becomes a frozen dataclass, or all faults are told."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from loquent.errors import ConfigError, UserError, nearest, together

Record = TypeVar("Record")


def read(record: type[Record], values: Mapping[str, Any], where: str = "") -> Record:
    """Make a `record` of `values`.

    Raises ConfigError that names every unknown key (with the nearest valid one), every missing key
    and every value of a wrong type, not only the first.
    """
    faults: list[UserError] = []
    made = _read(record, values, where, faults)
    if faults:
        raise together(ConfigError, faults)
    return made


def read_toml(record: type[Record], path: Path) -> Record:
    """Make a `record` of a TOML file; raises ConfigError with the place of each fault."""
    import tomllib  # noqa: PLC0415  # only files of settings need it

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"is not TOML: {fault}.", where=str(path)) from fault
    return read(record, values, str(path))


def write(record: Any) -> dict[str, Any]:
    """The inverse of `read`: plain dictionaries, lists and scalars."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    return plain


def _read(
    record: type[Record], values: Mapping[str, Any], where: str, faults: list[UserError]
) -> Record:
    types = get_type_hints(record)
    before = len(faults)
    for key in values:
        if key not in types:
            faults.append(
                ConfigError(f"unknown key {key!r}.", where=where, fix=nearest(key, types))
            )
    made: dict[str, Any] = {}
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        if field.name in values:
            place = f"{where}.{field.name}" if where else field.name
            made[field.name] = _value(types[field.name], values[field.name], place, faults)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            faults.append(ConfigError(f"key {field.name!r} is missing.", where=where))
    if len(faults) > before:
        return None  # type: ignore[return-value]  # never seen: `read` raises
    try:
        return record(**made)
    except UserError as fault:
        faults.append(type(fault)(str(fault), where=where))
        return None  # type: ignore[return-value]


def _value(kind: Any, value: Any, place: str, faults: list[UserError]) -> Any:
    inner = next((each for each in get_args(kind) if each is not NoneType), kind)
    if dataclasses.is_dataclass(inner) and isinstance(value, Mapping):
        return _read(inner, value, place, faults)  # type: ignore[arg-type]
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as fault:
        told = repr(value)[:100]  # a damaged file may hold a million letters here
        faults.append(ConfigError(f"{fault}, got {told}.", where=place))
        return None
