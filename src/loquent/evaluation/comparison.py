"""Several models on the same examples: how far apart, and whether by more than chance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.report import Report
from loquent.evaluation.tally import Tally
from loquent.metrics.paired import Difference, difference

FLIPPED = 20  # examples that are kept of each kind


@dataclass(frozen=True)
class Flip:
    """An example at which one model is much better than the other."""

    change: float  # of the goodness
    where: str
    asked: str
    target: str
    first: str  # what the first model told
    second: str


@dataclass(frozen=True)
class Against:
    """One model beside the first."""

    name: str
    differences: Sequence[Difference]  # of this model less the first, the main metric first
    holm: Mapping[str, float]  # p by metric, for as many models as were compared (Holm 1979)
    gained: Sequence[Flip]  # that this model does better
    lost: Sequence[Flip]


@dataclass(frozen=True)
class Comparison:
    """The reports of several models, and each one beside the first."""

    reports: Sequence[Report]
    against: Sequence[Against]

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        made = asdict(self)
        made["reports"] = [each.plain() for each in self.reports]
        return made


def compared(
    reports: Sequence[Report], tallies: Sequence[Tally], flips: Sequence["Flips"], *, seed: int
) -> Comparison:
    """Each model beside the first; `flips` are those of each but the first."""
    first = tallies[0]
    found = [
        [difference(m, first.table(m), other.table(m), seed=seed) for m in first.metrics]
        for other in tallies[1:]
    ]
    adjusted = [_holm([each[place].p for each in found]) for place in range(len(first.metrics))]
    against = [
        Against(
            report.model.name,
            found[number],
            {each.name: adjusted[place][number] for place, each in enumerate(found[number])},
            flips[number].gained(),
            flips[number].lost(),
        )
        for number, report in enumerate(reports[1:])
    ]
    return Comparison(reports, against)


def _holm(values: Sequence[float]) -> list[float]:
    """The p values for several comparisons at once (Holm 1979, §2)."""
    order = sorted(range(len(values)), key=lambda each: values[each])
    made, least = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(values[place] * (len(values) - rank), 1.0))
        made[place] = least
    return made


class Flips:
    """The examples at which two models differ most."""

    def __init__(self) -> None:
        self._found: list[Flip] = []

    def add(self, item: Item, first: Outcome, second: Outcome) -> None:
        """Look at one example."""
        change = second.goodness - first.goodness
        if change == 0 or first.told == second.told:
            return
        target = " | ".join(item.targets)[:500]
        told = (first.error or first.told[:500], second.error or second.told[:500])
        self._found.append(Flip(change, item.where, item.shown[:500], target, *told))
        if len(self._found) > 8 * FLIPPED:
            self._found = [*self.gained(), *self.lost()]

    def gained(self) -> list[Flip]:
        """Those at which the second is better, the most first."""
        return self._most([each for each in self._found if each.change > 0])

    def lost(self) -> list[Flip]:
        """Those at which it is worse."""
        return self._most([each for each in self._found if each.change < 0])

    @staticmethod
    def _most(found: Iterable[Flip]) -> list[Flip]:
        return sorted(found, key=lambda each: -abs(each.change))[:FLIPPED]
