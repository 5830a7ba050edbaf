"""What is known of runs, read from their folders without torch: to list, show and compare them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loquent.errors import DataError
from loquent.metrics import METRICS
from loquent.training import folders, log

CARD = "run.json"
CHECKPOINTS = "checkpoints"
MODEL = "model"
_DEPTH = 3  # folders below the one that is asked for are looked through so deep
_CARD_BYTES = 1 << 24


@dataclass(frozen=True)
class Run:
    """One run, as its folder tells of it."""

    folder: Path
    card: Mapping[str, Any]  # run.json: the resolved plan, data, versions, machine
    lines: Sequence[log.Line]
    checkpoints: Sequence[int]  # steps
    finished: bool  # it has written its model
    faults: Sequence[str]  # what of it could not be read

    @property
    def plan(self) -> Mapping[str, Any]:
        """The settings of the run."""
        plan = self.card.get("plan")
        return plan if isinstance(plan, Mapping) else {}

    @property
    def last(self) -> Mapping[str, Any]:
        """What the log says of the last step; nothing before the first."""
        steps = [line for line in self.lines if line.kind == "train"]
        return {"step": steps[-1].step, **steps[-1].values} if steps else {}

    def scores(self, kind: str) -> dict[str, tuple[float, float]]:
        """(last, best) of each figure of the evaluations of a kind, "eval" or "test".

        Of a figure that no table of metrics has the best is the last.
        """
        made: dict[str, tuple[float, float]] = {}
        for line in self.lines:
            for name, value in line.values.items():
                if line.kind == kind and _figure(value):
                    before = made[name][1] if name in made else value
                    made[name] = (value, _better(name, value, before))
        return made


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; each row has a value for each run, None where it has none."""

    names: Sequence[str]
    settings: Mapping[str, Sequence[Any]]  # those that differ, by their dotted name
    results: Mapping[str, Sequence[float | None]]


def runs(folder: Path) -> list[Run]:
    """The runs in a folder and up to three folders below it, by name.

    Raises DataError where there is no such folder.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder.", where=str(folder))
    return [open_run(each) for each in sorted(_found(folder, _DEPTH))]


def open_run(folder: Path) -> Run:
    """One run; raises DataError where the folder is none of a run, or its run.json is damaged."""
    path = folder / CARD
    try:
        with path.open("rb") as file:
            card = json.loads(file.read(_CARD_BYTES))
    except FileNotFoundError as fault:
        raise DataError(
            f"is no run: it has no {CARD}.",
            where=str(folder),
            fix="`loquent runs list FOLDER` finds the runs in a folder.",
        ) from fault
    except (OSError, ValueError, RecursionError) as fault:
        raise DataError(f"cannot be read: {str(fault)[:200]}.", where=str(path)) from fault
    if not isinstance(card, dict):
        raise DataError("is not what a run writes.", where=str(path))
    faults: list[str] = []
    return Run(
        folder=folder,
        card=card,
        lines=log.read_log(folder / log.NAME, faults.append),
        checkpoints=folders.steps(folder / CHECKPOINTS),
        finished=(folder / MODEL).is_dir(),
        faults=faults,
    )


def compared(several: Sequence[Run]) -> Comparison:
    """Where the settings of runs differ, and what came out."""
    plans = [dict(flat(run.plan, "")) for run in several]
    settings = {
        name: [plan.get(name) for plan in plans]
        for name in dict.fromkeys(name for plan in plans for name in plan)
        if name != "out" and any(plan.get(name) != plans[0].get(name) for plan in plans)
    }
    results = [_results(run) for run in several]
    names = dict.fromkeys(name for each in results for name in each)
    return Comparison(
        names=named(several),
        settings=settings,
        results={name: [each.get(name) for each in results] for name in names},
    )


def named(several: Sequence[Run]) -> list[str]:
    """Short names that tell runs apart: the folder's, with its parent's where two have the same."""
    resolved = [run.folder.resolve() for run in several]
    last = [path.name for path in resolved]
    return [
        path.name if last.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        for path in resolved
    ]


def _found(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / CARD).is_file():
        yield folder
    elif depth:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield from _found(path, depth - 1)


def _results(run: Run) -> dict[str, float]:
    last = run.last
    names = ("step", "loss", "tokens", "seconds")
    made = {f"train {name}": last[name] for name in names if _figure(last.get(name))}
    for kind in ("eval", "test"):
        for name, (value, best) in run.scores(kind).items():
            made[f"{kind} {name}"] = value
            if name in METRICS:
                made[f"{kind} {name}, best"] = best
    return made


def _better(name: str, value: float, before: float) -> float:
    metric = METRICS.get(name)
    return before if metric is not None and metric.better(before, value) else value


def flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Nested settings as (dotted name, value)."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
