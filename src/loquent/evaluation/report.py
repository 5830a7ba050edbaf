"""What an evaluation has found: scores with their intervals, and what stands behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loquent.evaluation.tally import Worst
from loquent.metrics import Score
from loquent.metrics.chances import Calibration


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whose scores they are: a model with all that decides its answers."""

    name: str
    weights: str = ""  # start of the SHA-256
    executor: str = ""  # runtime and precision


@dataclass(frozen=True, kw_only=True)
class Data:
    """On what the model was judged."""

    name: str
    examples: int  # records of it
    sha256: str  # of all that was asked and what was right
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The scores of one model at one task on one set of data."""

    task: str
    model: Subject
    data: Data
    scores: Sequence[Score]  # the main one first
    examples: int  # that were counted; of long texts these are stretches
    unanswered: int = 0  # which count as wrong
    truncated: int = 0  # examples of which not all was read
    dropped_tokens: int = 0
    groups: Mapping[str, Score] = field(default_factory=dict)  # of the main metric
    lengths: Mapping[str, Score] = field(default_factory=dict)
    classes: Sequence[str] = ()
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    calibration: Sequence[Calibration] = ()
    worst: Sequence[Worst] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0  # in which the model was asked; what an earlier run had asked not included
    asked: int = 0  # examples that were asked in these seconds
    version: str = ""

    @property
    def main(self) -> Score:
        """The score by which models are compared first."""
        return self.scores[0]

    def score(self, name: str) -> Score:
        """The score of a metric; raises KeyError where it was not counted."""
        return {each.name: each for each in self.scores}[name]

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        made = asdict(self)
        made["calibration"] = [each._asdict() for each in self.calibration]
        return made
