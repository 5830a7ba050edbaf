"""Reports as files: JSON, Markdown and one page of HTML."""

import json
import math
import os
from pathlib import Path
from secrets import token_hex
from typing import Any

from loquent.evaluation.comparison import Comparison
from loquent.evaluation.markdown import to_markdown
from loquent.evaluation.page import to_html
from loquent.evaluation.report import Report


def store(folder: Path, name: str, found: Report | Comparison) -> None:
    """Write NAME.json, NAME.md and NAME.html; each is there wholly or as it was."""
    text = json.dumps(finite(found.plain()), ensure_ascii=False, indent=1, allow_nan=False)
    _write(folder / f"{name}.json", text + "\n")
    _write(folder / f"{name}.md", to_markdown(found))
    _write(folder / f"{name}.html", to_html(found))


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
