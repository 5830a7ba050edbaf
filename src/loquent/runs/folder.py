"""A run's folder: its card, one process at a time, and whether a plan may go on in it."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from loquent.errors import CheckpointError, ConfigError, UsageError
from loquent.runs.differences import differences
from loquent.runs.plan import Plan, plain

CARD = "run.json"
CHECKPOINTS = "checkpoints"
MODEL = "model"
ADAPTER = "adapter"
_PACKAGES = ("loquent", "torch", "numpy", "tokenizers")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within, no other process trains in the folder; raises UsageError where one does."""
    _made(folder)
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        with lock:
            yield
    except Timeout as fault:
        raise UsageError("another process is training here.", where=str(folder)) from fault


def read_card(folder: Path) -> dict[str, Any]:
    """What run.json says; nothing where there is none. Raises CheckpointError."""
    path = folder / CARD
    try:
        made = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise CheckpointError(f"cannot be read: {fault}.", where=str(path)) from fault
    if not isinstance(made, dict):
        raise CheckpointError("is not what a run writes.", where=str(path))
    return made


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write run.json at once; raises CheckpointError."""
    write_text(folder / CARD, json.dumps(card, ensure_ascii=False, indent=2, default=list) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file that is there wholly or as it was; raises CheckpointError."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as fault:
        raise CheckpointError(f"cannot be written: {fault.strerror}.", where=str(path)) from fault


def check_plan(folder: Path, plan: Plan) -> dict[str, Any]:
    """The card of a run that goes on; raises ConfigError that names how its plan differs."""
    card = read_card(folder)
    if not card:
        _refuse_foreign(folder)
        return {}
    told = differences(card.get("plan", {}), plan)
    if told:
        lines = "\n".join(f"  {each}" for each in told)
        raise ConfigError(
            f"holds a run with another plan:\n{lines}\n",
            where=str(folder),
            fix="Name another folder, or ask for the same; only a budget may grow.",
        )
    return card


def first_card(plan: Plan) -> dict[str, Any]:
    """What is known of a run before its first step."""
    return {
        "plan": plain(plan),
        "versions": _versions(),
        "machine": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
        },
        "seed": plan.training.seed,
    }


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _PACKAGES}


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise CheckpointError(f"cannot be made: {fault.strerror}.", where=str(folder)) from fault


def _refuse_foreign(folder: Path) -> None:
    """A folder that holds something else is not written into."""
    ours = {".lock", "data", "tokenizer", "source_tokenizer", "labels.json"}
    others = sorted(each.name for each in folder.iterdir() if each.name not in ours)
    others = [name for name in others if not name.startswith(".")]
    if others:
        raise UsageError(
            f"holds other files: {', '.join(others[:3])}.",
            where=str(folder),
            fix="Name a new folder for the run.",
        )
