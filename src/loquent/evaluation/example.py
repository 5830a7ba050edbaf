"""One example of an evaluation: what is asked, what is right, and what a model told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Asked = str | tuple[str, ...]
Fact = tuple[Any, Any]  # (answer, target) as `Metric.count` takes them, of plain values


@dataclass(frozen=True, kw_only=True)
class Item:
    """What is asked, and what is right."""

    asked: Asked
    targets: tuple[str, ...] = ()  # that are equally right; of labels: all that hold
    choices: tuple[str, ...] = ()  # of which `targets` names the right one
    where: str = ""
    group: str = ""
    measured: str = ""  # the text whose length counts; "": that of the question

    @property
    def length(self) -> int:
        """Characters, by which examples are divided into shorter and longer ones."""
        return len(self.measured or self.shown)

    @property
    def shown(self) -> str:
        """The question in one text."""
        return self.asked if isinstance(self.asked, str) else " / ".join(self.asked)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a model told of an item, or of one stretch of it, and how good that is."""

    told: str
    facts: Mapping[str, Fact]  # by what metrics read (`metrics.metric.Reads`)
    goodness: float  # by which the worst examples are found; more is better
    dropped_tokens: int = 0
    error: str = ""  # why there is no answer, which counts as a wrong one

    def plain(self) -> dict[str, Any]:
        """Plain values for a line of JSON, without what is as usual."""
        made: dict[str, Any] = {"told": self.told, "facts": self.facts, "goodness": self.goodness}
        if self.dropped_tokens:
            made["dropped_tokens"] = self.dropped_tokens
        if self.error:
            made["error"] = self.error
        return made

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Outcome":
        """The outcome of such a line."""
        facts = {name: (fact[0], fact[1]) for name, fact in values["facts"].items()}
        return cls(**{**values, "facts": facts})


def joined(asked: Sequence[Asked]) -> list[str]:
    """Each question in one text."""
    return [each if isinstance(each, str) else "\n".join(each) for each in asked]
