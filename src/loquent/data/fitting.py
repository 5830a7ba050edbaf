"""Which examples fit a model's length, what is done with those that do not, and the count of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loquent.data.settings import OrderConfig
from loquent.data.store import Store
from loquent.errors import DataError

_BLOCK = 1 << 20  # examples looked at together
_NAMED = 5  # examples that an error names

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Fitting:
    """The examples that are used, and what a model reads of each."""

    store: Store
    config: OrderConfig
    shift: bool
    dropped: Numbers  # numbers of examples that are left out, rising
    cut: int = 0
    cut_tokens: int = 0
    skipped: int = 0
    empty: int = 0
    unlearned: int = 0

    @property
    def count(self) -> int:
        """How many examples are used."""
        return len(self.store) - len(self.dropped)

    def numbers(self, places: Numbers) -> Numbers:
        """The numbers in the store of the used examples with these places among the used ones."""
        if not len(self.dropped):
            return places
        before = self.dropped - np.arange(len(self.dropped))  # used examples before each left out
        return places + np.searchsorted(before, places, side="right")

    def read(self, numbers: Numbers) -> list[Numbers]:
        """How many tokens a model reads of each: of its ids and, where there is one, its source."""
        parts = _lengths(self.store, numbers, self.shift)
        if self.config.long == "cut" and self.config.length:
            return [np.minimum(part, self.config.length) for part in parts]
        return parts

    def over(self, tokens: int) -> int:
        """How many used examples have more tokens than this."""
        found = 0
        for numbers in _blocks(self.count):
            whole = np.sum(self.read(self.numbers(numbers)), axis=0)
            found += int(np.count_nonzero(whole > tokens))
        return found

    def receipt(self) -> dict[str, int | float]:
        """What became of the examples."""
        return {
            "kept": self.count,
            "cut": self.cut,
            "cut_tokens": self.cut_tokens,
            "cut_share": self.cut / len(self.store),
            "skipped": self.skipped,
            "empty": self.empty,
            "unlearned": self.unlearned,
        }


def fit(store: Store, config: OrderConfig, *, shift: bool) -> Fitting:
    """Find the examples that are too long or empty; raises DataError as `config.long` says."""
    empty: list[Numbers] = []
    long: list[Numbers] = []
    cut_tokens = 0
    for numbers in _blocks(len(store)):
        parts = _lengths(store, numbers, shift)
        nothing = np.logical_or.reduce([part < 1 for part in parts])
        empty.append(numbers[nothing])
        if config.length:
            excess = np.sum([np.maximum(part - config.length, 0) for part in parts], axis=0)
            over = (excess > 0) & ~nothing
            long.append(numbers[over])
            cut_tokens += int(np.sum(excess[over]))
    empties = np.concatenate(empty)
    longs = np.concatenate(long) if long else np.zeros(0, np.int64)
    if len(longs) and config.long == "error":
        raise _too_long(store, longs, config.length)
    cutting = config.long == "cut"
    dropped = empties if cutting else np.sort(np.concatenate([empties, longs]))
    if len(dropped) == len(store):
        what = f"no example is left: {len(empties)} are empty, {len(longs)} too long."
        raise DataError(what, where=str(store.folder))
    return Fitting(
        store=store,
        config=config,
        shift=shift,
        dropped=dropped,
        cut=len(longs) if cutting else 0,
        cut_tokens=cut_tokens if cutting else 0,
        skipped=0 if cutting else len(longs),
        empty=len(empties),
        unlearned=store.unlearned + (_unlearned(store, longs, config, shift) if cutting else 0),
    )


def _lengths(store: Store, numbers: Numbers, shift: bool) -> list[Numbers]:
    whole = store.lengths[numbers].astype(np.int64)
    sources = [] if store.sources is None else [store.sources[numbers].astype(np.int64)]
    ids = whole - sum(sources)
    read = np.maximum(ids - 1, np.minimum(ids, 1)) if shift else ids
    return [np.asarray(read, np.int64), *sources]


def _blocks(count: int) -> Iterator[Numbers]:
    for start in range(0, count, _BLOCK):
        yield np.arange(start, min(start + _BLOCK, count), dtype=np.int64)


def _unlearned(store: Store, longs: Numbers, config: OrderConfig, shift: bool) -> int:
    """How many examples lose all of their targets when they are cut."""
    if "learned" not in store.parts:
        return 0
    lost = 0
    for number in longs.tolist():
        learned = store[number].learned
        assert learned is not None
        left = learned[1 : config.length + shift]
        lost += bool(learned[1:].any()) and not left.any()
    return lost


def _too_long(store: Store, longs: Numbers, length: int) -> DataError:
    named = ", ".join(str(store[number].index) for number in longs[:_NAMED].tolist())
    more = ", …" if len(longs) > _NAMED else ""
    share = len(longs) / len(store)
    return DataError(
        f"{len(longs)} of {len(store)} examples ({share:.1%}) have over {length} tokens, "
        f"at most {int(store.lengths[longs].max())}: records {named}{more} (counted from 0).",
        where=str(store.folder),
        fix="Raise `length`, or set `long` to 'cut' or 'skip'; what is lost is counted.",
    )
