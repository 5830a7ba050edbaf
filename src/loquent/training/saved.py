"""What a training is at one moment, as plain tensors and values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Saved:
    """Enough to go on bit by bit: tensors under their names, and values that JSON can hold."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]
