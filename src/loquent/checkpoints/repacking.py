"""What packing does to weights: how far the packed values are from those of the checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from loquent.native import Kind, Plan, unpacked

PRECISIONS = {
    Kind.F32: "f32",
    Kind.BF16: "bf16",
    Kind.INT8: "int8",
    Kind.INT4: "int4",
    Kind.PLAIN: "f32",
}
_ROWS = 256  # that are compared at a time, so that sums in single precision stay short


@dataclass(frozen=True)
class Repacked:
    """All weights that were stored in one way and are packed in one way."""

    stored: str  # as in the checkpoint: "Q4_1", "BF16"
    packed: str  # "int8"
    weights: int  # how many tensors
    bytes: int  # of the packed ones
    error: float  # root of the mean squared difference, relative to that of the weights


class Comparison:
    """Compares weights while they are packed; `pack` takes it as `compare`."""

    def __init__(self, stored: Mapping[str, str]) -> None:
        """`stored` tells how each weight is stored in its checkpoint."""
        self._stored = stored
        self._sums: dict[tuple[str, str], list[float]] = {}

    def __call__(
        self, name: str, array: NDArray[np.float32], data: NDArray[np.uint8], plan: Plan
    ) -> None:
        """Take one weight (rows, columns), padded with zeros, and its packed bytes."""
        kinds = self._stored.get(name, ""), PRECISIONS[plan.kind]
        sums = self._sums.setdefault(kinds, [0, 0, 0.0, 0.0])
        found = unpacked(data, plan.kind, plan.rows, plan.columns)
        sums[0] += 1
        sums[1] += data.size
        for first in range(0, len(array), _ROWS):
            real = array[first : first + _ROWS].ravel()
            gap = found[first : first + _ROWS].ravel() - real
            sums[2] += float(gap @ gap)
            sums[3] += float(real @ real)

    def report(self) -> list[Repacked]:
        """What was done to each kind, the largest first."""
        made = [
            Repacked(*kinds, int(count), int(size), sqrt(gap / all_of) if all_of else 0.0)
            for kinds, (count, size, gap, all_of) in self._sums.items()
        ]
        return sorted(made, key=lambda each: -each.bytes)
