"""Batches of whole examples: shuffled, by length, packed into windows, or as they are stored."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from loquent.data.batch import Batch, Row, collate, row_of
from loquent.data.example import Example
from loquent.data.fitting import Fitting, fit
from loquent.data.grouping import first_fit, groups_of_size, groups_of_tokens
from loquent.data.hearing import Hearing
from loquent.data.permutation import Permutation, mix
from loquent.data.settings import OrderConfig, Place
from loquent.data.store import Store
from loquent.errors import ConfigError

_BATCHES_TOGETHER = 100  # whose examples are sorted by length together
_EXAMPLES_TOGETHER = 4096  # where the number of a batch's examples is not fixed
_SAMPLE = 1000  # batches of which the padding is told

Numbers = NDArray[np.int64]


class Arranged:
    """An epoch is cut into chunks that are arranged each for itself.

    So any batch is found without going through the epoch, and 100 million examples need no list.
    A group is one batch or, packed, one row of it.
    """

    def __init__(
        self,
        store: Store,
        config: OrderConfig,
        *,
        shift: bool,
        hearing: Hearing | None = None,
    ) -> None:
        self._packed = config.order == "pack"
        if self._packed and store.parts & {"source", "labels"}:
            raise ConfigError(
                "order 'pack' is for texts; these examples have "
                f"{' and '.join(sorted(store.parts - {'learned'}))}.",
                fix="Use shuffle or bucket.",
            )
        self._store = store
        self._config = config
        self._shift = shift
        self._hearing = hearing
        if hearing is None and "sound" in store.parts:
            raise ConfigError("examples with sounds need a network that hears.")
        self._fitting: Fitting = fit(store, config, shift=shift)
        self._count = self._fitting.count
        self._fixed = not self._packed and not config.batch_tokens
        self._chunk = _EXAMPLES_TOGETHER
        if self._fixed:
            self._chunk = config.batch * (_BATCHES_TOGETHER if config.order == "bucket" else 1)
        self._chunks = -(-self._count // self._chunk)
        self._groups = lru_cache(maxsize=4)(self._arrange)
        self._ends = lru_cache(maxsize=2)(self._count_groups)

    def size(self, epoch: int) -> int:
        """How many batches an epoch has."""
        if self._fixed:
            return -(-self._count // self._config.batch)
        return -(-int(self._ends(epoch)[-1]) // self._step)

    def at(self, place: Place) -> Batch:
        """The batch of a place."""
        rows = []
        for numbers in self.numbers(place):
            read = [self._example(number) for number in numbers]
            if self._packed:
                rows.append(row_of(read, numbers, shift=self._shift))
            else:
                each = zip(read, numbers, strict=True)
                rows += [self._row(example, number, place) for example, number in each]
        tagged = self._store.tagged
        return collate(rows, shift=self._shift, packed=self._packed, tagged=tagged)

    def numbers(self, place: Place) -> list[list[int]]:
        """The numbers of a batch's examples: one list, or one for each packed row."""
        if self._fixed:
            each = self._chunk // self._config.batch
            groups = self._groups(place.epoch, place.index // each)
            return [groups[place.index % each].tolist()]
        ends = self._ends(place.epoch)
        first = place.index * self._step
        last = min(first + self._step, int(ends[-1]))
        found = []
        for group in range(first, last):
            chunk = int(np.searchsorted(ends, group, side="right"))
            before = int(ends[chunk - 1]) if chunk else 0
            found.append(self._groups(place.epoch, chunk)[group - before].tolist())
        return found

    def receipt(self) -> dict[str, int | float]:
        """What became of the examples."""
        oversized = 0
        if self._config.batch_tokens and not self._packed:
            oversized = self._fitting.over(self._config.batch_tokens)
        return {**self._fitting.receipt(), "oversized": oversized}

    def padded(self) -> float:
        """The share of padding in the first epoch's batches."""
        size = self.size(0)
        shown = np.unique(np.linspace(0, size - 1, min(size, _SAMPLE)).astype(int))
        places = tokens = 0
        for index in shown.tolist():
            groups = self.numbers(Place(0, index))
            numbers = np.concatenate([np.array(each, np.int64) for each in groups])
            for read in self._fitting.read(numbers):
                rows = read
                if self._packed:
                    starts = np.cumsum([0, *map(len, groups[:-1])])
                    rows = np.add.reduceat(read, starts)
                tokens += int(rows.sum())
                places += int(rows.max()) * len(rows)
        return 1 - tokens / places if places else 0.0

    @property
    def _step(self) -> int:
        """Groups of one batch."""
        return self._config.windows if self._packed else 1

    def _example(self, number: int) -> Example:
        example = self._store[number]
        most = self._config.length
        if not most or self._config.long != "cut":
            return example
        width = most + self._shift
        labels = example.labels
        return replace(
            example,
            ids=example.ids[:width],
            learned=None if example.learned is None else example.learned[:width],
            segments=None if example.segments is None else example.segments[:width],
            source=None if example.source is None else example.source[:most],
            labels=labels[:width] if self._store.tagged and labels is not None else labels,
            sound=None if example.sound is None else _cut(example.sound, example.frames, most),
        )

    def _row(self, example: Example, number: int, place: Place) -> Row:
        heard = None
        if self._hearing is not None and example.sound is not None:
            chance = (self._config.seed, place.epoch, number)
            heard = self._hearing.features(example.sound, chance)
        return row_of([example], [number], shift=self._shift, sound=heard)

    def _arrange(self, epoch: int, chunk: int) -> Sequence[Numbers]:
        """The groups of one chunk of an epoch."""
        config = self._config
        stop = min((chunk + 1) * self._chunk, self._count)
        places = np.arange(chunk * self._chunk, stop, dtype=np.int64)
        if config.order != "sequence":
            places = Permutation(self._count, mix(config.seed, epoch))(places)
        numbers = self._fitting.numbers(places)
        if self._packed:
            (read,) = self._fitting.read(numbers)
            return [numbers[row] for row in first_fit(read, config.length)]
        if config.order == "bucket":
            numbers = numbers[np.argsort(self._store.lengths[numbers], kind="stable")]
        if config.batch_tokens:
            groups = groups_of_tokens(numbers, self._fitting.read(numbers), config.batch_tokens)
        else:
            groups = groups_of_size(numbers, config.batch)
        if config.order == "bucket":
            shuffled = Permutation(len(groups), mix(config.seed, epoch, chunk))
            return [groups[each] for each in shuffled(np.arange(len(groups)))]
        return groups

    def _count_groups(self, epoch: int) -> Numbers:
        counts = [len(self._arrange(epoch, chunk)) for chunk in range(self._chunks)]
        return np.cumsum(counts)


def _cut(sound: NDArray[np.int16], frames: int, most: int) -> NDArray[np.int16]:
    """So much of a sound as makes `most` frames at most."""
    return sound if frames <= most else sound[: len(sound) * most // frames]
