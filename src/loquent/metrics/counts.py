"""Counts of many examples: kept compactly, added up, and drawn again."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]  # (C,): sums over examples, from which a value is made

RESAMPLES = 1000

_BLOCK = 1024  # examples whose counts are kept and multiplied together
_DRAWS = 1 << 21  # of examples, in some resamples at a time
_DENSE = 8  # a block with so many columns for each kept count, or fewer, is multiplied as a whole


class _Block(NamedTuple):
    """Some examples' counts that are not 0, by columns."""

    rows: NDArray[np.int32]  # within the block
    columns: NDArray[np.int32]
    values: NDArray[np.float64]


class CountTable:
    """Counts (N, C) of N examples, of which only those that are not 0 are kept.

    A place of memory is needed for each such count, however many columns there are.
    """

    def __init__(self) -> None:
        self.examples = 0
        self.columns = 0
        self._blocks: list[_Block] = []
        self._waiting: list[tuple[NDArray[np.intp], Counts]] = []  # columns, values

    @classmethod
    def of(cls, counts: NDArray[np.float64]) -> "CountTable":
        """The same counts (N, C)."""
        made = cls()
        made.columns = counts.shape[1] if counts.ndim == 2 else 0
        for row in counts:
            made.add(row)
        return made

    def add(self, row: Sequence[float] | Counts) -> None:
        """Take the counts (C,) of one more example; all have as many."""
        if self.examples and len(row) != self.columns:
            raise ValueError(f"{len(row)} counts, where the examples before have {self.columns}")
        self.columns = len(row)
        self.examples += 1
        values = np.asarray(row, np.float64)
        places = values.nonzero()[0]
        self._waiting.append((places, values[places]))
        if len(self._waiting) == _BLOCK:
            self._flush()

    def total(self) -> Counts:
        """The sums (C,) over all examples."""
        made = np.zeros(self.columns)
        for block in self.blocks():
            made += block.sum(axis=0)
        return made

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """The counts of one block of examples (n, C) after the other."""
        self._flush()
        for number, block in enumerate(self._blocks):
            made = np.zeros((min(_BLOCK, self.examples - number * _BLOCK), self.columns))
            made[block.rows, block.columns] = block.values
            yield made

    def rows(self) -> Iterator[Counts]:
        """The counts (C,) of each example."""
        for block in self.blocks():
            yield from block

    def chosen(self, which: NDArray[np.bool_]) -> "CountTable":
        """The counts of some of the examples; `which` (N,) tells them."""
        made = CountTable()
        made.columns = self.columns
        for start, block in zip(range(0, self.examples, _BLOCK), self.blocks(), strict=True):
            for row in block[which[start : start + _BLOCK]]:
                made.add(row)
        return made

    def weighted(self, weights: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Sums (R, C) in which each example counts as often as `weights` (R, N) says."""
        self._flush()
        made = np.zeros((len(weights), self.columns))
        for start, block in zip(range(0, self.examples, _BLOCK), self._blocks, strict=True):
            part = weights[:, start : start + _BLOCK].astype(np.float64)
            count = part.shape[1]
            if count * self.columns <= _DENSE * len(block.values):
                whole = np.zeros((count, self.columns))
                whole[block.rows, block.columns] = block.values
                made += part @ whole
            elif len(block.values):
                first = np.flatnonzero(np.diff(block.columns, prepend=-1))
                sums = np.add.reduceat(part[:, block.rows] * block.values, first, axis=1)
                made[:, block.columns[first]] += sums
        return made

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = np.repeat(
            np.arange(len(self._waiting), dtype=np.int32),
            [len(places) for places, _ in self._waiting],
        )
        columns = np.concatenate([places for places, _ in self._waiting]).astype(np.int32)
        values = np.concatenate([values for _, values in self._waiting])
        order = np.argsort(columns, kind="stable")
        self._blocks.append(_Block(rows[order], columns[order], values[order]))
        self._waiting = []


def resampled(
    tables: Sequence[CountTable], *, seed: int, resamples: int = RESAMPLES
) -> Iterator[list[NDArray[np.float64]]]:
    """Sums over examples drawn with replacement, the same ones for all tables, of equal length.

    Some resamples at a time, (R, C) for each table. A draw depends on its number, the seed and
    the number of examples alone.
    """
    examples = tables[0].examples
    step = max(1, min(resamples, _DRAWS // max(examples, 1)))
    for first in range(0, resamples, step):
        count = min(step, resamples - first)
        generator = np.random.default_rng((seed, first))
        drawn = generator.integers(0, examples, (count, examples))
        drawn += examples * np.arange(count)[:, None]  # a row of places for each resample
        times = np.bincount(drawn.ravel(), minlength=count * examples)
        weights = times.astype(np.uint16).reshape(count, examples)
        yield [table.weighted(weights) for table in tables]
