"""How batches are made, and the name of one batch."""

from dataclasses import dataclass
from typing import Literal, get_args

from loquent.errors import ConfigError, nearest

Order = Literal["shuffle", "bucket", "pack", "windows", "slices", "sequence"]
Long = Literal["error", "cut", "skip"]

_NEED_LENGTH = ("pack", "windows", "slices")


@dataclass(frozen=True, kw_only=True)
class OrderConfig:
    """How examples become batches; raises ConfigError for impossible settings.

    The orders: `shuffle` by chance; `bucket` by chance, but like lengths together; `pack` whole
    documents side by side in windows of `length`; `windows` random crops of one running text;
    `slices` the same text from its start to its end; `sequence` as they are stored.
    """

    batch: int = 32  # examples (or windows) of one step
    batch_tokens: int = 0  # > 0: instead, as many examples as fit, padding included
    order: Order = "shuffle"
    length: int = 0  # tokens that a model reads: of a window, of the longest example; 0: any
    long: Long = "error"  # what is done with a longer example
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            known = nearest(self.order, get_args(Order))
            raise ConfigError(f"order: unknown order {self.order!r}.", fix=known)
        if self.long not in get_args(Long):
            known = nearest(self.long, get_args(Long))
            raise ConfigError(f"long: unknown choice {self.long!r}.", fix=known)
        if self.batch < 1:
            raise ConfigError(f"batch must be at least 1, not {self.batch}.")
        if self.batch_tokens < 0 or self.length < 0:
            raise ConfigError("batch_tokens and length cannot be negative.")
        if self.order in _NEED_LENGTH and not self.length:
            raise ConfigError(f"order {self.order!r} needs the length of a window.")

    @property
    def windows(self) -> int:
        """Windows of one step, where each is `length` long."""
        return max(self.batch_tokens // self.length, 1) if self.batch_tokens else self.batch


@dataclass(frozen=True)
class Place:
    """The name of one batch: the epoch and the batch's number in it, both from 0."""

    epoch: int = 0
    index: int = 0
