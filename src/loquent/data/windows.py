"""Windows of one running text: random crops, or slices from its start to its end."""

import numpy as np

from loquent.data.batch import Batch, Row, collate, shifted
from loquent.data.permutation import mix, scattered
from loquent.data.settings import OrderConfig, Place
from loquent.data.store import Store
from loquent.errors import ConfigError, DataError


class Windows:
    """Batches of windows of `length` tokens; a text is what all examples are one after another.

    Where targets are the next tokens a window reads one token more than the model does, so that
    also its last position has a target.
    """

    def __init__(self, store: Store, config: OrderConfig, *, shift: bool) -> None:
        if store.parts & {"source", "labels"}:
            raise ConfigError(
                f"order {config.order!r} is for running text; these examples have "
                f"{' and '.join(sorted(store.parts - {'learned'}))}.",
                fix="Use shuffle or bucket.",
            )
        self._store = store
        self._config = config
        self._shift = shift
        self._span = config.length + shift  # tokens that a window takes from the text
        least = 2 if config.order == "slices" and shift else self._span
        if store.text_tokens < least:
            raise DataError(
                f"the text has {store.text_tokens} tokens, less than one window of {least}.",
                where=str(store.folder),
                fix="Take a shorter length, or more text.",
            )

    def size(self, epoch: int) -> int:
        """How many batches an epoch has: about so many that each token is seen once."""
        del epoch  # all are alike
        if self._config.order == "slices":
            return -(-self._slices // self._config.windows)
        return max(self._store.text_tokens // (self._config.windows * self._config.length), 1)

    def at(self, place: Place) -> Batch:
        """The batch of a place."""
        rows = []
        for start in self._starts(place):
            stop = min(start + self._span, self._store.text_tokens)
            ids, learned = self._store.text(start, stop)
            read, targets = shifted(ids, learned, shift=self._shift)
            rows.append(Row(ids=[read], targets=[targets], example=start))
        return collate(rows, shift=self._shift, tagged=False)

    def receipt(self) -> dict[str, int | float]:
        """What became of the examples: all are in the text."""
        counts = ("cut", "cut_tokens", "cut_share", "skipped", "empty", "oversized")
        whole: dict[str, int | float] = dict.fromkeys(counts, 0)
        return {**whole, "kept": len(self._store), "unlearned": self._store.unlearned}

    def padded(self) -> float:
        """The share of padding: only the last slice may be shorter than the others."""
        if self._config.order == "windows":
            return 0.0
        last = self.at(Place(0, self.size(0) - 1))
        places = (self._slices - len(last.ids)) * self._config.length + last.ids.size
        return 1 - (self._store.text_tokens - self._shift) / places

    @property
    def _slices(self) -> int:
        return -(-(self._store.text_tokens - self._shift) // self._config.length)

    def _starts(self, place: Place) -> list[int]:
        first = place.index * self._config.windows
        if self._config.order == "slices":
            numbers = range(first, min(first + self._config.windows, self._slices))
            return [number * self._config.length for number in numbers]
        rows = np.arange(self._config.windows, dtype=np.uint64)
        key = np.uint64(mix(self._config.seed, place.epoch, place.index))
        choices = self._store.text_tokens - self._span + 1
        starts: list[int] = (scattered(scattered(rows) ^ key) % np.uint64(choices)).tolist()
        return starts
