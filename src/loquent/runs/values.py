"""Settings of a plan as nested values: read from a file, spelled as options, one over the other."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loquent.errors import ConfigError


def read_values(path: Path) -> dict[str, Any]:
    """What a TOML file says; raises ConfigError where it is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise ConfigError("there is no such file.", where=str(path)) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"is not TOML: {fault}.", where=str(path)) from fault


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; where both say something, the second counts."""
    made = dict(below)
    for name, value in above.items():
        old = made.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        made[name] = merged(old, value) if both else value  # type: ignore[arg-type]
    return made


def over(plan: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's settings with options that count more, also where these bring another tokenizer.

    A kind of tokenizer takes the place of a model's; a model, also one that is begun with, that of
    all that is said of a new one.
    """
    part, asked, start = (
        part_of(plan, "tokenizer"), part_of(options, "tokenizer"), part_of(options, "start")
    )  # fmt: skip
    if start.get("model") or start.get("embedding") or asked.get("model"):
        part = {}
    elif asked.get("kind"):
        part = {name: part[name] for name in part if name != "model"}
    return merged({**plan, "tokenizer": part} if "tokenizer" in plan else plan, options)


def assigned(text: str) -> dict[str, Any]:
    """`training.rate=3e-4` as a nested mapping; raises ConfigError where it is no such setting."""
    name, equals, value = text.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"{text!r} is not NAME=VALUE, such as training.rate=3e-4.")
    try:
        read_value = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        read_value = value.strip()  # a word without quotes
    made: Any = read_value
    for key in reversed(keys):
        made = {key: made}
    return dict(made)


def part_of(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a plan's settings; empty where there is none."""
    part = values.get(name, {})
    return part if isinstance(part, Mapping) else {}


def listed(values: Mapping[str, Any]) -> dict[str, Any]:
    """One name or number where a list is meant is a list of one."""
    made = dict(values)
    for part, names in (
        ("data", ("train", "validation", "test", "augment")),
        ("start", ("freeze", "lora_targets")),
        ("network", ("ngrams",)),
    ):
        if isinstance(made.get(part), Mapping):
            made[part] = {
                name: [value] if name in names and isinstance(value, str | int) else value
                for name, value in made[part].items()
            }
    return made
