"""What a layer remembers between passes, behind one interface for every mixer."""

from typing import Protocol

from torch import Tensor


class State(Protocol):
    """The memory of one layer for R rows; `Frame.rows` says which of them a pass continues."""

    def clear(self, row: int) -> None:
        """Forget a row."""

    def reorder(self, rows: Tensor, sources: Tensor) -> None:
        """Let each of `rows` (N,) continue from the row at its place in `sources` (N,), at once."""
