"""Which visits of later rounds are worth their time, by what the earlier ones gave."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from peers.measure import TASKS, Visit
from peers.table import OWN, PEERS

FAR = 0.7  # of the best peer's speed: below it in every figure, a peer decides no comparison
VERY_FAR = 0.5  # below it in every figure on all cores, nor under other conditions
COMPARED = ("8-bit", "4-bit")  # classes of ours that are measured under all conditions

Samples = Sequence[Mapping[str, Any]]


def why_not(visit: Visit, beside: Samples, free: Samples) -> str:
    """Why a visit is left out, or nothing.

    `beside`: samples of its model under its conditions; `free`: those on all cores of a free
    machine. What could not start is not asked again, and what is far behind the best peer of its
    class in every speed, and behind that of any class in prefill, is measured in the first round
    only, or on all cores only. Ours are measured to the end, other classes on all cores only.
    """
    mine = (visit.peer, visit.variant)
    if any("start" in each["failed"] for each in (*beside, *free) if _row(each) == mine):
        return "it did not start before"
    is_free = not visit.busy and all(each["threads"] <= visit.threads for each in free)
    if visit.peer in OWN:
        compared = is_free or PEERS[visit.peer].variants[visit.variant] in COMPARED
        return "" if compared else "this class is measured on all cores of a free machine only"
    if not is_free and _behind(mine, free, VERY_FAR):
        return f"below {VERY_FAR:.0%} of the best peer's speed in every figure on all cores"
    if visit.round and _behind(mine, beside, FAR):
        return f"below {FAR:.0%} of the best peer's speed in every figure of the first round"
    return ""


def _behind(mine: tuple[str, str], samples: Samples, share: float) -> bool:
    """Whether a peer stays below this share of the best one's speed in each figure that it has."""
    rivals: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in samples:
        if each["peer"] not in OWN:
            rivals.setdefault(_row(each), []).append(each)
    class_ = PEERS[mine[0]].variants[mine[1]]
    known = False
    for name, task in TASKS.items():
        own = _middle(rivals.get(mine, []), name)
        if own is None:
            continue
        known = True
        speeds = [
            speed
            for row, each in rivals.items()
            if (task.new == 1 or PEERS[row[0]].variants[row[1]] == class_)
            and (speed := _middle(each, name)) is not None
        ]
        # alone in a class that we do not compare, it only matters for prefill
        if own >= share * max(speeds) and (task.new == 1 or class_ in COMPARED):
            return False
    return known


def without_failed(visit: Visit, samples: Samples) -> Visit:
    """The visit without the tasks that failed in an earlier round."""
    failed = {
        name
        for each in samples
        if _row(each) == (visit.peer, visit.variant)
        for name in each["failed"]
    }
    return replace(visit, tasks=tuple(each for each in visit.tasks if each not in failed))


def _row(sample: Mapping[str, Any]) -> tuple[str, str]:
    return sample["peer"], sample["variant"]


def _middle(samples: Samples, name: str) -> float | None:
    values = [each["figures"][name] for each in samples if name in each["figures"]]
    return median(values) if values else None
