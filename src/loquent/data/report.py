"""What a look over a data set has found, and which of it is a reason to look closer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loquent.data.spelling import Suggestion

_RARE = 10  # examples of a class, below which it is told
_UNEVEN = 20  # times that the most frequent class may be the rarest
_MANY = 0.01  # a share of truncated records from which on it is told loudly


@dataclass(frozen=True)
class Finding:
    """How many records, and some of their places."""

    count: int = 0
    places: tuple[str, ...] = ()


NONE = Finding()


@dataclass
class Report:
    """What was found in a data set and, where there is one, its test set."""

    path: str
    test: str | None = None
    records: int = 0
    test_records: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    empty: Finding = NONE
    damaged: Finding = NONE  # texts that were once read in a wrong encoding
    duplicates: Finding = NONE
    test_duplicates: Finding = NONE
    conflicts: Finding = NONE  # the same text with another label
    overlap: Finding = NONE  # records of the test set that are in the training set
    labels: Mapping[str, int] = field(default_factory=dict)
    test_only_labels: list[str] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)
    label_places: Mapping[str, str] = field(default_factory=dict)  # of the suspicious ones
    unit: str = "characters"
    lengths: Mapping[str, float | int] = field(default_factory=dict)
    length: int = 0  # what a model reads; 0: not asked
    truncated: int = 0  # measured records that are longer
    truncated_share: float = 0.0
    measured: int = 0  # records whose length was measured

    def warnings(self) -> list[str]:
        """Sentences about what may harm a training or a test, without what could not be read."""
        every = self.records + self.test_records
        found = [
            _places(self.empty, every, "have an empty text"),
            _places(self.damaged, every, "have characters damaged by a wrong encoding"),
            _places(self.duplicates, self.records, "stand there again"),
            _places(self.test_duplicates, self.test_records, "of the test set stand there again"),
            _places(
                self.conflicts,
                every,
                "have the text of another one but not its answer",
            ),
            _places(self.overlap, self.test_records, "of the test set are in the training set"),
        ]
        return [each for each in found if each] + self._of_labels() + self._of_lengths()

    def _of_labels(self) -> list[str]:
        found = [
            f"label {each.label!r} ({each.count}, first at {self.label_places[each.label]}): is "
            f"{each.meant!r} ({each.meant_count}) meant?"
            for each in self.suggestions
        ]
        found += [
            f"label {name!r} is in the test set only (first at {self.label_places[name]})."
            for name in self.test_only_labels
        ]
        if len(self.labels) == 1:
            found.append(f"all records have one label, {next(iter(self.labels))!r}.")
        told = {each.label for each in self.suggestions}
        rare = [
            f"{name!r} ({count})"
            for name, count in self.labels.items()
            if count < _RARE and name not in told
        ]
        if rare and self.records >= 10 * _RARE:
            more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
            found.append(f"labels with under {_RARE} examples: {', '.join(rare[:5])}{more}.")
        counts = [count for name, count in self.labels.items() if name not in told]
        if len(counts) > 1 and max(counts) > _UNEVEN * min(counts):
            share = max(counts) / sum(counts)
            found.append(f"the classes are uneven: always the most frequent is right {share:.1%}.")
        return found

    def _of_lengths(self) -> list[str]:
        if not self.truncated:
            return []
        of = f"{self.measured} measured records" if self.measured < self.records else "records"
        loud = " Much is lost." if self.truncated_share >= _MANY else ""
        return [
            f"{self.truncated} {of} ({self.truncated_share:.2%}) are longer than {self.length} "
            f"{self.unit}.{loud}"
        ]


def _places(found: Finding, of: int, what: str) -> str:
    if not found.count:
        return ""
    share = f" ({found.count / of:.2%})" if of else ""
    named = ", ".join(found.places[:5])
    more = ", …" if found.count > min(len(found.places), 5) else ""
    verb = what if found.count != 1 else _singular(what)
    return f"{found.count} record{'s' if found.count != 1 else ''}{share} {verb}: {named}{more}."


def _singular(what: str) -> str:
    for many, one in (("have ", "has "), ("stand ", "stands "), ("are ", "is ")):
        what = what.replace(many, one)
    return what
