"""The records of a plan: which files hold them, and which part of the data each belongs to."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from loquent.data.augment import augmented
from loquent.data.reading import Record
from loquent.data.records import ENDINGS, records
from loquent.data.shapes import Columns
from loquent.data.sounds import located, sound_records
from loquent.data.split import Part, part_of
from loquent.runs.parts import DataPlan
from loquent.tasks import Task

Note = Callable[[str], None]

_NAMED = ("train", "validation", "test")
_READ = (
    "validation_share", "test_share", "format", "text", "label", "source", "target",
    "augment", "augment_share", "augment_copies",
)  # fmt: skip
_BRACES = re.compile(r"(.*)\{([^{}]+)\}(.*)")  # train.{de,en}
_SEED = 0  # of the division into parts: runs of different seeds are judged by the same records


class Sources:
    """The records of a plan's parts, read anew each time that they are asked for."""

    def __init__(self, plan: DataPlan, task: Task, note: Note) -> None:
        """`note` is told once what a person should know of each file."""
        self._plan = plan
        self._task = task
        self._note = note
        self._told: set[str] = set()
        self.variants: Counter[str] = Counter()  # that the last reading has added
        one = Path(f"{plan.train[0]}.{plan.source}").expanduser()
        self._two = bool(plan.source) and one.is_file()
        self.columns = Columns(
            text=plan.text, label=plan.label, source=plan.source, target=plan.target
        )

    def names(self, part: Part) -> tuple[str, ...]:
        """The files that the plan names for a part."""
        named: tuple[str, ...] = getattr(self._plan, part)
        return named

    def has(self, part: Part) -> bool:
        """Whether there may be records of a part."""
        shares = {"train": 1.0, "validation": self._validation, "test": self._test}
        return bool(self.names(part)) or shares[part] > 0

    def records(self, part: Part, *, varied: bool = False) -> Iterator[Record]:
        """The records of a part in the normal form of the task; raises DataError.

        With `varied` the variants that the plan asks for stand behind those that are learned.
        """
        own = self.names(part)
        divided = self._validation or self._test
        if part == "train":
            found = self._divided(part) if divided else self._read(own)
        else:
            found = self._read(own) if own else self._divided(part)
        numbered = (
            replace(self._task.normal(record, self.columns), index=number)
            for number, record in enumerate(found)
        )
        settings = self._plan.augmentation
        if not (varied and part == "train" and settings):
            yield from numbered
            return
        self.variants.clear()
        several = augmented(numbered, settings, self.variants)
        for number, record in enumerate(several):
            yield replace(record, index=number)

    @property
    def state(self) -> list[Any]:
        """What decides which records there are: the settings, and each file as it is now."""
        named = {name: list(value) for name, value in vars(self._plan).items() if name in _NAMED}
        others = {name: getattr(self._plan, name) for name in _READ}
        return [self._task.name, named, others, [_state(file) for file in self._files()]]

    def _files(self) -> Iterator[Path]:
        for name in (*self._plan.train, *self._plan.validation, *self._plan.test):
            braced = _BRACES.fullmatch(self._spelled(name))
            sides = braced[2].split(",") if braced else ()
            files = [f"{braced[1]}{side}{braced[3]}" for side in sides] if braced else [name]
            for path in (Path(file).expanduser() for file in files):
                inner = sorted(path.rglob("*")) if path.is_dir() else [path]
                yield from (each for each in inner if each.is_file())

    def _spelled(self, name: str) -> str:
        """The name under which the reader of records knows two files of lines."""
        if not self._two:
            return name
        return f"{name}.{{{self._plan.source},{self._plan.target}}}"

    @property
    def running(self) -> bool:
        """Whether the training data are running texts, not records."""
        return all(_is_text(name, self._plan.format) for name in self._plan.train)

    @property
    def _validation(self) -> float:
        return 0.0 if self._plan.validation else self._plan.validation_share

    @property
    def _test(self) -> float:
        return 0.0 if self._plan.test else self._plan.test_share

    def _read(self, names: tuple[str, ...]) -> Iterator[Record]:
        for name in names:
            path = self._spelled(name)
            path = path if path.startswith("hf:") else str(Path(path).expanduser())
            if not self._task.hears:
                yield from records(path, format=self._plan.format, on_note=self._once)
            elif Path(path).is_dir():
                yield from sound_records(Path(path))
            else:
                base = Path(path).parent
                for record in records(path, format=self._plan.format, on_note=self._once):
                    yield located(record, base)

    def _divided(self, part: Part) -> Iterator[Record]:
        every = self._read(self._plan.train)
        if self.running:
            total = sum(len(record.values["text"]) for record in self._read(self._plan.train))
            yield from _cut(every, *self._span(part, total))
            return
        for record in every:
            if part_of(record, _SEED, self._validation, self._test, self.columns) == part:
                yield record

    def _span(self, part: Part, total: int) -> tuple[int, int]:
        """The characters of a running text that are a part: training, validation, test."""
        test = total - int(total * self._test)
        validation = test - int(total * self._validation)
        spans = {"train": (0, validation), "validation": (validation, test), "test": (test, total)}
        return spans[part]

    def _once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._note(text)


def _state(file: Path) -> list[Any]:
    found = file.stat()
    return [str(file), found.st_size, found.st_mtime_ns]


def _is_text(name: str, format: str) -> bool:
    """Whether a file is read as one running text; a folder's texts are documents."""
    if format != "auto" or Path(name).expanduser().is_dir():
        return format == "txt"
    return ENDINGS.get(Path(name.lower().removesuffix(".gz")).suffix) == "txt"


def _cut(every: Iterator[Record], start: int, stop: int) -> Iterator[Record]:
    """The characters of running text from one place to before another."""
    place = 0
    for record in every:
        text = record.values["text"]
        begin, end = max(start - place, 0), min(stop - place, len(text))
        if begin < end:
            flags = {
                "continued": record.values.get("continued") is True or begin > 0,
                "continues": record.values.get("continues") is True or end < len(text),
            }
            yield replace(record, values={"text": text[begin:end], **flags})
        place += len(text)
