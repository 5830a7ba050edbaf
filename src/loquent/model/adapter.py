"""What was learned beside a network's own weights: low-rank updates, and weights learned whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Update:
    """A change of a linear map: scale · B · A is added to its weight (Hu et al. 2021, §4.1)."""

    a: NDArray[Any]  # (rank, in)
    b: NDArray[Any]  # (out, rank)
    scale: float

    def added(self, weight: NDArray[Any]) -> NDArray[Any]:
        """The weight (out, in) with the update, rounded once: to float32, or as `weight` is wider.

        Sums are in double precision, so that merging costs no more than that one rounding.
        """
        change = (self.b.astype(np.float64) * self.scale) @ self.a.astype(np.float64)
        change += weight
        return change.astype(np.result_type(weight, np.float32))


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapter:
    """All that was learned of a network whose own weights stay as they are."""

    updates: Mapping[str, Update]  # by linear map, such as "decoder.layers.0.attention.query"
    replaced: Mapping[str, NDArray[Any]] = field(default_factory=lambda: MappingProxyType({}))
    # by weight, such as "head.weight"
    dropout: float = 0.0  # of the updates' inputs, in training
    untied: bool = False  # the head was learned apart from the embedding that it was one with
