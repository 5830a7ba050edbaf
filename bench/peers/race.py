"""Which visits of later rounds are worth their time, by what the earlier ones gave."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from peers.measure import TASKS, Visit
from peers.table import OWN, PEERS

FAR = 0.7  # of the best peer's speed: below it in every figure, a peer decides no comparison


def why_not(visit: Visit, samples: Sequence[Mapping[str, Any]]) -> str:
    """Why a visit is left out, or nothing; `samples` are those of its model and conditions.

    A peer that could not start is not asked again; one that is far behind the best peer of
    its class in every speed, and behind that of any class in prefill, is measured in the first
    round only. Ours are always measured.
    """
    own = [each for each in samples if _row(each) == (visit.peer, visit.variant)]
    if any("start" in each["failed"] for each in own):
        return "it did not start in an earlier round"
    if visit.round == 0 or visit.peer in OWN or not own:
        return ""
    for name in visit.tasks:
        mine = _middle(own, name)
        if mine is None:
            continue
        rivals: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for each in samples:
            same = PEERS[each["peer"]].variants[each["variant"]]
            if each["peer"] not in OWN and (
                TASKS[name].new == 1 or same == PEERS[visit.peer].variants[visit.variant]
            ):
                rivals.setdefault(_row(each), []).append(each)
        best = max(value for each in rivals.values() if (value := _middle(each, name)) is not None)
        if mine >= FAR * best:
            return ""
    return f"below {FAR:.0%} of the best peer's speed in every figure; measured in one round only"


def without_failed(visit: Visit, samples: Sequence[Mapping[str, Any]]) -> Visit:
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


def _middle(samples: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [each["figures"][name] for each in samples if name in each["figures"]]
    return median(values) if values else None
