"""What comes of a run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from loquent.metrics import Score

Reason = Literal["budget", "patience", "stopped"]


@dataclass(frozen=True)
class Result:
    """Where a run ended and how good its best weights are."""

    folder: Path
    model: Path | None  # None: it was stopped, and can go on
    reason: Reason
    steps: int
    tokens: int
    seconds: float
    best_step: int  # whose weights the model has
    validation: Mapping[str, Score]
    test: Mapping[str, Score]

    def plain(self) -> dict[str, Any]:
        """The same as values that JSON has."""
        return {
            "folder": str(self.folder),
            "model": str(self.model) if self.model else None,
            "reason": self.reason,
            "steps": self.steps,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "best_step": self.best_step,
            "validation": {name: asdict(score) for name, score in self.validation.items()},
            "test": {name: asdict(score) for name, score in self.test.items()},
        }
