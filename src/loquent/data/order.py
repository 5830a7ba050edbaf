"""Which examples stand in which batch: a pure function of the store, the settings and the place."""

from collections.abc import Mapping
from functools import cached_property

from loquent.data.arranged import Arranged
from loquent.data.batch import Batch
from loquent.data.hearing import Hearing
from loquent.data.settings import OrderConfig, Place
from loquent.data.store import Store
from loquent.data.windows import Windows
from loquent.errors import DataError

__all__ = ["Batches", "OrderConfig", "Place"]


class Batches:
    """The batches of a store, each to be had by its place, without going through those before."""

    def __init__(
        self,
        store: Store,
        config: OrderConfig,
        *,
        shift: bool = True,
        hearing: Hearing | None = None,
    ) -> None:
        """With `shift` the targets are the next tokens; without, a batch has labels or none.

        `hearing` makes features of sounds, where the examples have any.

        Raises DataError where examples are longer than `config.length` and that is an error, or
        where nothing is left; ConfigError where the order does not suit the examples.
        """
        self.store = store
        self.config = config
        self.shift = shift
        self._order: Windows | Arranged
        if config.order in ("windows", "slices"):
            self._order = Windows(store, config, shift=shift)
        else:
            self._order = Arranged(store, config, shift=shift, hearing=hearing)

    def size(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return self._order.size(epoch)

    def at(self, place: Place) -> Batch:
        """The batch of a place; raises DataError where the epoch has fewer."""
        size = self.size(place.epoch)
        if not 0 <= place.index < size or place.epoch < 0:
            raise DataError(
                f"epoch {place.epoch} has {size} batches; there is no number {place.index}.",
                where=str(self.store.folder),
                fix="Was the run begun with other data or another batch?",
            )
        return self._order.at(place)

    def after(self, place: Place) -> Place:
        """The place of the next batch."""
        if place.index + 1 < self.size(place.epoch):
            return Place(place.epoch, place.index + 1)
        return Place(place.epoch + 1, 0)

    @cached_property
    def receipt(self) -> Mapping[str, int | float]:
        """What became of the examples, so that nothing is left out in silence.

        `examples` and `tokens` of the store; `kept` examples; `cut` ones and the `cut_tokens` that
        they lost; `cut_share` of all examples; `skipped` as too long; `empty` ones, which are left
        out; `unlearned` ones, of which no token is a target; `oversized` ones, alone in a batch as
        they have more than `batch_tokens`; `padded`: the share of padding in the first epoch
        (of a sample of its batches where there are many).
        """
        return {
            "examples": len(self.store),
            "tokens": self.store.tokens,
            **self._order.receipt(),
            "padded": self._order.padded(),
        }
