"""What a layer remembers between passes, behind one interface for every mixer."""

from typing import Protocol

import torch
from torch import Tensor

from loquent.blocks.frame import Frame


class State(Protocol):
    """The memory of one layer for R rows; `Frame.rows` says which of them a pass continues."""

    def grow(self, rows: int, length: int) -> None:
        """Make room for `rows` rows of `length` tokens; what is remembered stays."""

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Let each row of `targets` (N,) continue from its row of `sources` (N,), all at once."""


class AttentionState:
    """Keys and values of every token seen, (R, H, S, W) each."""

    def __init__(self, heads: int, width: int, dtype: torch.dtype, device: torch.device) -> None:
        self.keys = torch.zeros(0, heads, 0, width, dtype=dtype, device=device)
        self.values = self.keys.clone()

    def grow(self, rows: int, length: int) -> None:
        """Make room for `rows` rows of `length` tokens; what is remembered stays."""
        old_rows, heads, old_length, width = self.keys.shape
        if rows <= old_rows and length <= old_length:
            return
        shape = (max(rows, old_rows), heads, max(length, old_length), width)
        for name in ("keys", "values"):
            old = getattr(self, name)
            wide = old.new_zeros(shape)
            wide[:old_rows, :, :old_length] = old
            setattr(self, name, wide)

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Let each row of `targets` (N,) continue from its row of `sources` (N,), all at once."""
        self.keys[targets] = self.keys[sources]
        self.values[targets] = self.values[sources]

    def extend(self, keys: Tensor, values: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
        """Remember new keys and values (B, H, T, W) and give all of these rows, (B, H, S, W)."""
        span = frame.mask.shape[-1]
        rows = torch.arange(len(self.keys), device=keys.device)[frame.rows]
        for memory, new in ((self.keys, keys), (self.values, values)):
            memory.transpose(1, 2)[rows[:, None], frame.positions] = new.transpose(1, 2)
        return self.keys[frame.rows, :, :span], self.values[frame.rows, :, :span]

    def put(self, row: int, keys: Tensor, values: Tensor) -> None:
        """Replace what one row remembers by (H, S, W): the encoder's output, seen by a decoder."""
        self.grow(row + 1, keys.shape[1])
        self.keys[row, :, : keys.shape[1]] = keys
        self.values[row, :, : values.shape[1]] = values
