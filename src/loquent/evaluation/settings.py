"""What can be set of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from loquent.errors import UsageError
from loquent.text.encoding import Truncate


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How models are asked, and how what they tell is counted."""

    by: str = ""  # the column whose values are groups
    columns: Mapping[str, str] = field(default_factory=dict)  # what holds what; data/shapes.py
    batch: int = 0  # examples that are asked together; 0: as the task has it
    limit: int = 0  # examples at most, the first ones; 0: all
    seed: int = 0  # of the resamples
    language: str = ""  # of the answers, for metrics; "": found by looking
    truncate: Truncate | None = None  # which end of too long a text is dropped
    # classify
    labels: tuple[str, ...] = ()
    several: bool = False  # any number of labels may hold
    template: str = ""
    temperature: float = 1.0
    threshold: float | None = None  # from which a label holds; None: 0.5, of commands 0.6
    # translate, summarize
    source: str = ""
    target: str = ""
    prefix: str | None = None
    beams: int = 0
    how: Literal["model", "lead", "central"] = "model"
    words: int = 60
    sentences: int = 3
    # likelihood
    context: int = 0  # tokens of a window; 0: 1,024, or as many as the model reads
    stride: int = 0  # tokens by which it moves on; 0: half of it

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("batch", "limit", "beams", "context", "stride"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must not be negative, but is {getattr(self, name)}.")
        if self.context and self.stride > self.context:
            raise UsageError(f"a stride of {self.stride} is longer than {self.context} tokens.")


COMMON = ("by", "columns", "batch", "limit", "seed")


def changed(settings: Settings) -> dict[str, object]:
    """What is not as it is by default."""
    usual = Settings()
    return {
        each.name: getattr(settings, each.name)
        for each in fields(Settings)
        if getattr(settings, each.name) != getattr(usual, each.name)
    }


def check_used(settings: Settings, task: str, used: tuple[str, ...]) -> None:
    """Raise UsageError where something is set that the task does not look at."""
    unused = [name for name in changed(settings) if name not in (*COMMON, *used)]
    if unused:
        raise UsageError(
            f"the task {task!r} does not look at {', '.join(unused)}.",
            fix=f"It looks at {', '.join((*used, *COMMON))}.",
        )
