"""Outcomes as counts: of all examples, of groups and of lengths, so that nothing else is kept."""

import heapq
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from loquent.evaluation.example import Item, Outcome
from loquent.metrics import METRICS, CountTable, Metric, Score, scored

WORST = 20  # examples that are kept
_MOST_GROUPS = 1000
_ARRAYS = ("classes", "normalized", "chances")


@dataclass(frozen=True, order=True)
class Worst:
    """An example with its answer, ordered by how good that is."""

    goodness: float
    number: int
    where: str
    asked: str
    target: str
    told: str


class Tally:
    """The counts of one system's outcomes under some metrics."""

    def __init__(self, metrics: Sequence[str], classes: Sequence[str]) -> None:
        self.metrics: list[Metric] = [METRICS[name] for name in metrics]
        self.classes = tuple(classes)
        # metrics that are made of the same counts share a table
        self._tables = {_kind(metric): CountTable() for metric in self.metrics}
        self.confusions: Counter[tuple[int, int]] = Counter()
        self.examples = self.unanswered = self.truncated = self.dropped_tokens = 0
        self._groups: dict[str, int] = {}
        self._group_of, self._length_of = array("i"), array("q")
        self._worst: list[tuple[float, int, Worst]] = []

    def add(self, item: Item, outcome: Outcome) -> None:
        """Count one outcome."""
        for metric in {_kind(metric): metric for metric in self.metrics}.values():
            answer, target = _fact(metric, outcome)
            self._tables[_kind(metric)].add(metric.count(answer, target, len(self.classes)))
        self._count(item, outcome)
        self.examples += 1

    def _count(self, item: Item, outcome: Outcome) -> None:
        said, meant = outcome.facts.get("classes", ((), ()))
        if self.classes and len(meant) == 1:
            self.confusions[meant[0], said[0]] += 1
        self.unanswered += bool(outcome.error)
        self.truncated += bool(outcome.dropped_tokens)
        self.dropped_tokens += outcome.dropped_tokens
        group = item.group if item.group in self._groups or self._room() else "(others)"
        self._group_of.append(self._groups.setdefault(group, len(self._groups)))
        self._length_of.append(item.length)
        number = self.examples
        worst = Worst(
            outcome.goodness,
            number,
            item.where,
            item.shown[:500] if item.targets else "",  # else what is told is a stretch of it
            " | ".join(item.targets)[:500],
            outcome.error or outcome.told[:500],
        )
        entry = (-outcome.goodness, -number, worst)
        if len(self._worst) < WORST:
            heapq.heappush(self._worst, entry)
        elif entry > self._worst[0]:
            heapq.heapreplace(self._worst, entry)

    def _room(self) -> bool:
        return len(self._groups) < _MOST_GROUPS

    def table(self, metric: Metric) -> CountTable:
        """The counts of a metric."""
        return self._tables[_kind(metric)]

    def scores(self, *, seed: int, setting: str) -> list[Score]:
        """All metrics over all examples."""
        return [scored(m, self.table(m), seed=seed, setting=setting) for m in self.metrics]

    def worst(self) -> list[Worst]:
        """The worst examples, the worst first."""
        return [worst for *_, worst in sorted(self._worst, reverse=True)]

    def by_group(self, *, seed: int) -> dict[str, Score]:
        """The main metric of each group, the largest first; none where there is one group only."""
        if len(self._groups) < 2:
            return {}
        numbers = np.frombuffer(self._group_of, np.int32)
        sizes = np.bincount(numbers)
        names = sorted(self._groups, key=lambda name: -sizes[self._groups[name]])
        return {name: self._part(numbers == self._groups[name], seed) for name in names}

    def by_length(self, *, seed: int) -> dict[str, Score]:
        """The main metric of each quarter of the examples by their length in characters."""
        lengths = np.frombuffer(self._length_of, np.int64)
        edges = sorted(set(np.quantile(lengths, (0.25, 0.5, 0.75), method="lower").tolist()))
        bounds = [-1, *(int(edge) for edge in edges), int(lengths.max())]
        made = {}
        for low, high in pairwise(bounds):
            which = (lengths > low) & (lengths <= high)
            if which.any():
                made[f"{low + 1:,} to {high:,} characters"] = self._part(which, seed)
        return made if len(made) > 1 else {}

    def _part(self, which: NDArray[np.bool_], seed: int) -> Score:
        metric = self.metrics[0]
        return scored(metric, self.table(metric).chosen(which), seed=seed)


def _kind(metric: Metric) -> tuple[str, object]:
    """What tells one table of counts from another."""
    return metric.reads, metric.count


def _fact(metric: Metric, outcome: Outcome) -> tuple[object, object]:
    answer, target = outcome.facts[metric.reads]
    if metric.reads in _ARRAYS:
        target = np.array(target) if isinstance(target, list) else target
        return np.array(answer), target
    if metric.reads == "sizes":
        return answer, tuple(target)
    return answer, target


def confusion(tally: Tally) -> Mapping[str, Mapping[str, int]]:
    """How often each class was told, by what was meant; "" where none was told."""
    names = tally.classes
    made: dict[str, dict[str, int]] = {}
    for (meant, said), count in sorted(tally.confusions.items()):
        made.setdefault(names[meant], {})[names[said] if said >= 0 else ""] = count
    return made
