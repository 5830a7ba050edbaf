"""What it takes to judge a model at a task: how it is asked, and what is counted."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loquent.data.reading import Record
from loquent.evaluation.example import Item, Outcome
from loquent.evaluation.settings import Settings
from loquent.lm.lm import LM

Items = Callable[[], Iterator[Item]]  # all of them, from the first


class Judge(Protocol):
    """A model that is asked about items, and whose answers become outcomes."""

    classes: tuple[str, ...]  # the names of what facts number; () where they number nothing
    several: bool  # whether any number of classes may hold
    setting: str  # what else belongs into signatures
    note: str  # what a person should know of how answers were understood

    def __call__(self, items: list[Item]) -> Iterable[Sequence[Outcome]]:
        """The outcomes of each item; raises RequestError where one cannot be asked."""
        ...

    def missing(self, item: Item, error: str) -> Sequence[Outcome]:
        """The outcome of an item that cannot be asked: as wrong as can be."""
        ...


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is known of all items before a model is asked."""

    items: Items
    count: int
    asked_language: str  # of the questions, where it can be told; else ""
    language: str  # of the targets


@dataclass(frozen=True, kw_only=True)
class Job:
    """A task at which models are judged."""

    name: str
    does: str
    application: str  # whose model is the default one: a key of tasks.defaults.SERVES
    metrics: Callable[[Settings, str], Sequence[str]]  # (settings, language); the main one first
    items: Callable[[Record, Settings], Iterator[Item]]  # raises DataError
    judge: Callable[[LM | None, Settings, Look], Judge]
    used: tuple[str, ...] = ()  # fields of Settings that it looks at
    several: tuple[str, ...] = ()  # metrics where several labels may hold
    size: int = 32  # items that are asked together
    sounds: bool = False  # whether what is asked are files of sound
    needs_model: Callable[[Settings], bool] = field(default=lambda _: True)
