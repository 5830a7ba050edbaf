"""Small data and small plans."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loquent.runs.networks import ignored
from loquent.runs.plan import Plan, planned
from loquent.runs.values import merged
from loquent.tasks import TASKS

WORDS = "the cat sat on a mat and a dog ran to its house where it slept all day"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, records with classes, and pairs."""
    folder = tmp_path_factory.mktemp("corpus")
    chance = random.Random(0)
    lines = [
        " ".join(chance.choices(WORDS.split(), k=chance.randint(4, 12))) + "." for _ in range(400)
    ]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    rows = []
    for line in lines:
        good = chance.random() < 0.5
        rows.append({"text": f"{'fine' if good else 'poor'} {line}", "label": "ny"[good]})
    (folder / "classes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "pairs.a").write_text("\n".join(lines) + "\n")
    (folder / "pairs.b").write_text("\n".join(line.upper() for line in lines) + "\n")
    return folder


@pytest.fixture
def plan(corpus: Path, tmp_path: Path) -> Callable[..., Plan]:
    """A plan of a few steps of a network of one small layer."""

    def made(**changes: Any) -> Plan:
        values = {
            "task": "generate",
            "out": str(tmp_path / "run"),
            "data": {"train": str(corpus / "text.txt"), "batch": 4, "length": 16},
            "tokenizer": {"kind": "char"},
            "network": {"layers": 1, "width": 16, "heads": 2},
            "training": {"steps": 12, "rate": 0.01},
            "evaluate": {"every": 4, "examples": 64},
            "save": {"every": 5},
            "device": "cpu",
        }
        values = merged(values, changes)
        task = TASKS[values["task"]]
        kind = values["network"].get("kind", task.network)
        start = values.get("start", {})
        tuned = start.get("model")
        if (tuned or start.get("embedding")) and "tokenizer" not in changes:
            del values["tokenizer"]
        without = ("layers", "width", "heads") if tuned else ignored(kind, task.stacks)
        values["network"] = {
            name: each for name, each in values["network"].items() if name not in without
        }
        return planned(values)

    return made
