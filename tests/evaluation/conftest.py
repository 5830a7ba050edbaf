"""Data that models are judged on."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import loquent
from loquent import LM


@pytest.fixture(scope="session")
def sentiment() -> LM:
    """A classifier that comes with the package, in full precision."""
    return loquent.open("sentiment-zh", bits=32)


@pytest.fixture(scope="session")
def gpt2(tiny_gpt2: Path) -> LM:
    """A tiny GPT-2 in full precision."""
    return loquent.open(tiny_gpt2, bits=32)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as JSONL."""

    def write(rows: Sequence[dict[str, Any]], name: str = "data.jsonl") -> Path:
        path = tmp_path / name
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write
