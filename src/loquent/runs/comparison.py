"""What a comparison found, read from the folders of its runs, without torch."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

from loquent.errors import DataError
from loquent.metrics import METRICS
from loquent.runs import listing
from loquent.runs.figures import Figure, figure, wilson
from loquent.runs.measures import Measures, Writing, read_measures
from loquent.runs.plan import BUDGETS
from loquent.runs.recall import gaps_of
from loquent.settings import write
from loquent.tasks import TASKS

CARD = "comparison.json"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network, over its seeds."""

    label: str
    network: str
    size: str
    parameters: int
    seeds: tuple[int, ...]
    scores: Mapping[str, Figure]  # by metric
    steps: float  # means over seeds, as the next two
    tokens: float
    seconds: float
    tokens_per_second: float | None  # the median of the seeds
    memory_bytes: int | None  # the most of the seeds
    context: int  # tokens of one text at most; 0: any number
    writing: tuple[Writing, ...]  # each the median of the seeds
    recall: Mapping[int, Figure] = field(default_factory=dict)  # by gap
    curve: tuple[tuple[float, float], ...] = ()  # (seconds, deciding metric) of judgements


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Networks side by side, the best first."""

    folder: Path
    task: str
    metric: str
    part: str  # the examples that the scores are of: "validation" or "test"
    budget: Mapping[str, float]
    rows: tuple[Row, ...]
    unfinished: Mapping[str, str]  # run: why it has no result

    @property
    def higher_is_better(self) -> bool:
        """Of the metric."""
        return METRICS[self.metric].higher_is_better

    def plain(self) -> dict[str, Any]:
        """The same as values that JSON has."""
        values = {name: value for name, value in vars(self).items() if name != "folder"}
        return {"version": VERSION, "folder": str(self.folder), **write(values)}


def opened(folder: Path) -> Comparison:
    """The comparison of the runs that a folder holds.

    Runs whose folders are called NAME-SEED are seeds of one network; the plans of these may differ
    in nothing else. Raises DataError where there is none that is finished, or where they do not
    belong together.
    """
    known = _known(folder)
    every = [run for run in _runs(folder) if run.plan.get("task") in TASKS]
    done = [run for run in every if _result(run)]
    if not done:
        what = "there is no finished run to compare."
        raise DataError(what, where=str(folder), fix=_reasons(known))
    told = {run.folder.name: "it is not finished" for run in every if not _result(run)}
    reasons = {name: why for name, why in known.items() if not _has_result(folder, name)}
    metric, part = _deciding(folder, done)
    groups: dict[str, list[listing.Run]] = {}
    for run in done:
        groups.setdefault(_label(run), []).append(run)
    recalls = _recalls(folder)
    rows = [
        _row(label, group, metric, part, recalls.get(label, {})) for label, group in groups.items()
    ]
    sign = -1 if METRICS[metric].higher_is_better else 1
    rows.sort(key=lambda row: _order(sign * row.scores[metric].value))
    return Comparison(
        folder=folder,
        task=done[0].plan["task"],
        metric=metric,
        part=part,
        budget={name: value for name in BUDGETS if (value := done[0].plan["training"].get(name))},
        rows=tuple(rows),
        unfinished=told | reasons,
    )


def _row(
    label: str,
    group: Sequence[listing.Run],
    metric: str,
    part: str,
    recall: Mapping[int, Figure],
) -> Row:
    results = [_result(run) for run in group]
    measures = [read_measures(run.folder) or Measures() for run in group]
    names = set.intersection(*(set(result[part]) for result in results))
    speeds = [each.tokens_per_second for each in measures if each.tokens_per_second is not None]
    memory = [each.memory_bytes for each in measures if each.memory_bytes is not None]
    plan = group[0].plan
    return Row(
        label=label,
        network=plan["start"]["model"] or plan["network"]["kind"],
        size=plan["network"]["size"],
        parameters=int(group[0].card["parameters"]),
        seeds=tuple(sorted(run.plan["training"]["seed"] for run in group)),
        scores={
            name: _score([result[part][name] for result in results])
            for name in results[0][part]
            if name in names
        },
        steps=fmean(result["steps"] for result in results),
        tokens=fmean(result["tokens"] for result in results),
        seconds=fmean(result["seconds"] for result in results),
        tokens_per_second=median(speeds) if speeds else None,
        memory_bytes=max(memory) if memory else None,
        context=measures[0].context,
        writing=_writing(measures),
        recall=dict(recall),
        curve=_curve(group, metric),
    )


def _score(scores: Sequence[Mapping[str, Any]]) -> Figure:
    return figure(
        [each["value"] for each in scores],
        [(each["low"], each["high"]) for each in scores],
        scores[0]["examples"],
    )


def _writing(measures: Sequence[Measures]) -> tuple[Writing, ...]:
    """The median speed of the seeds for each length and runtime."""
    found: dict[tuple[int, str], list[Writing]] = {}
    for each in measures:
        for one in each.writing:
            found.setdefault((one.tokens, one.runtime), []).append(one)
    made = []
    for several in found.values():
        speeds = [one.tokens_per_second for one in several if one.tokens_per_second is not None]
        first = several[0]
        made.append(
            Writing(
                tokens=first.tokens,
                runtime=first.runtime,
                precision=first.precision,
                tokens_per_second=round(median(speeds), 2) if speeds else None,
            )
        )
    return tuple(made)


def _curve(group: Sequence[listing.Run], metric: str) -> tuple[tuple[float, float], ...]:
    """Means over the seeds of each judgement that all of them had."""
    curves = []
    for run in group:
        seconds, points = 0.0, []
        for line in run.lines:
            if line.kind == "train":
                seconds = float(line.values.get("seconds", seconds))
            elif line.kind == "eval" and isinstance(line.values.get(metric), int | float):
                points.append((seconds, float(line.values[metric])))
        curves.append(points)
    return tuple(
        (fmean(x for x, _ in points), fmean(y for _, y in points))
        for points in zip(*curves, strict=False)
    )


def _recalls(folder: Path) -> dict[str, dict[int, Figure]]:
    """What each network recalls, over its seeds, by gap."""
    found: dict[str, dict[int, list[tuple[int, int]]]] = {}
    for inner in sorted(folder.iterdir()):
        if not inner.is_dir() or not gaps_of(inner):
            continue
        for run in _runs(inner):
            measures = read_measures(run.folder) if _result(run) else None
            for one in measures.recall if measures else ():
                gaps = found.setdefault(_label(run), {})
                gaps.setdefault(one.gap, []).append((one.right, one.texts))
    return {
        label: {gap: _share(several) for gap, several in sorted(gaps.items())}
        for label, gaps in found.items()
    }


def _share(several: Sequence[tuple[int, int]]) -> Figure:
    values = [right / count for right, count in several]
    made = figure(values, [wilson(*each) for each in several], several[0][1])
    return replace(made, low=max(made.low, 0.0), high=min(made.high, 1.0))


def _runs(folder: Path) -> list[listing.Run]:
    """The runs that stand directly in a folder, by name."""
    if not folder.is_dir():
        raise DataError("there is no such folder.", where=str(folder))
    return [
        listing.open_run(each)
        for each in sorted(folder.iterdir())
        if not each.name.startswith(".") and (each / listing.CARD).is_file()
    ]


def _result(run: listing.Run) -> Mapping[str, Any]:
    """What a run that is finished says of its end; nothing for another."""
    found = run.card.get("result")
    return found if isinstance(found, Mapping) and run.finished else {}


def _has_result(folder: Path, name: str) -> bool:
    try:
        return bool(_result(listing.open_run(folder / name)))
    except DataError:
        return False


def _label(run: listing.Run) -> str:
    """The name of a run's network: its folder's, without the seed."""
    return run.folder.name.removesuffix(f"-{run.card.get('seed')}")


def _deciding(folder: Path, done: Sequence[listing.Run]) -> tuple[str, str]:
    """The metric and the part of the data by which networks are compared.

    Raises DataError where runs are not of the same task, data or tokenizer, or a seed of another.
    """
    first = done[0]
    groups: dict[str, listing.Run] = {}
    faults: list[str] = []
    for run in done:
        like = groups.setdefault(_label(run), run)
        for other, same in ((first, _of_all), (like, _of_seeds)):
            for name, ours, theirs in _unequal(other.plan, run.plan, same):
                faults.append(
                    f"{name} is {ours!r} in {other.folder.name}, but {theirs!r} in "
                    f"{run.folder.name}"
                )
    if faults:
        raise DataError(
            "holds runs that cannot be compared:\n  " + "\n  ".join(dict.fromkeys(faults)),
            where=str(folder),
        )
    metric = first.plan["evaluate"]["metric"] or TASKS[first.plan["task"]].metrics[0]
    result = _result(first)
    part = "test" if metric in result["test"] else "validation"
    without = [run.folder.name for run in done if metric not in _result(run)[part]]
    if without:
        raise DataError(
            f"{', '.join(without)}: there are no held-out examples with the metric {metric!r}.",
            where=str(folder),
        )
    forms = dict.fromkeys(str(_result(run)[part][metric]["name"]) for run in done)
    if len(forms) > 1:
        raise DataError(
            f"holds runs that were judged by several metrics: {', '.join(forms)}.",
            where=str(folder),
            fix="Train all of them anew.",
        )
    return metric, part


# What all runs have in common; of one network's seeds everything but the seed and the folder is.
_SHARED = ("task", "data.train", "data.validation", "data.test", "tokenizer.", "evaluate.metric")
_OWN = ("out", "training.seed", "device")


def _of_all(name: str) -> bool:
    return name.startswith(_SHARED)


def _of_seeds(name: str) -> bool:
    return name not in _OWN


def _unequal(
    one: Mapping[str, Any], other: Mapping[str, Any], same: Callable[[str], bool]
) -> list[tuple[str, Any, Any]]:
    """The settings of a choice that two plans have otherwise: (name, the one's, the other's)."""
    ours, theirs = dict(listing.flat(one, "")), dict(listing.flat(other, ""))
    names = [name for name in dict.fromkeys((*ours, *theirs)) if same(name)]
    return [
        (name, ours.get(name), theirs.get(name))
        for name in names
        if ours.get(name) != theirs.get(name)
    ]


def _known(folder: Path) -> dict[str, str]:
    """Why runs have failed, as the comparison has written it."""
    try:
        found = json.loads((folder / CARD).read_bytes())
        return {str(name): str(why) for name, why in found["unfinished"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as fault:
        raise DataError(f"cannot be read: {fault}.", where=str(folder / CARD)) from fault


def _reasons(known: Mapping[str, str]) -> str:
    return " ".join(f"{name}: {why}." for name, why in known.items())


def _order(value: float) -> float:
    return math.inf if math.isnan(value) else value
