"""Reports as files: JSON, Markdown and one page of HTML."""

import json
import math
import os
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol


class Page(Protocol):
    """What can be written in all three forms."""

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""

    def to_markdown(self) -> str:
        """As Markdown."""

    def to_html(self) -> str:
        """As HTML."""


def store(folder: Path, name: str, page: Page) -> None:
    """Write NAME.json, NAME.md and NAME.html; each is there wholly or as it was."""
    text = json.dumps(finite(page.plain()), ensure_ascii=False, indent=1, allow_nan=False)
    _write(folder / f"{name}.json", text + "\n")
    _write(folder / f"{name}.md", page.to_markdown())
    _write(folder / f"{name}.html", page.to_html())


def finite(value: Any) -> Any:
    """The same with null for numbers that JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
    with unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
