"""What a layer remembers between passes, behind one interface for every mixer."""

from copy import copy as shallow_copy
from typing import Protocol, Self

import torch
from torch import Tensor

from loquent.blocks.frame import Frame


class State(Protocol):
    """The memory of one layer for R rows; `Frame.rows` says which of them a pass continues."""

    def grow(self, rows: int, length: int) -> None:
        """Make room for `rows` rows of `length` tokens; what is remembered stays."""

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Let each row of `targets` (N,) continue from its row of `sources` (N,), all at once."""

    def kept(self) -> Self:
        """What is remembered now, to put back where a pass is given up halfway."""


class AttentionState:
    """Keys and values of every token seen, (R, H, S, W) each; their widths may differ."""

    def __init__(
        self,
        heads: int,
        width: int,
        dtype: torch.dtype,
        device: torch.device,
        value_width: int = 0,
    ) -> None:
        """`value_width` 0: that of the keys."""
        self.keys = torch.zeros(0, heads, 0, width, dtype=dtype, device=device)
        self.values = self.keys.new_zeros(0, heads, 0, value_width or width)

    def grow(self, rows: int, length: int) -> None:
        """Make room for `rows` rows of `length` tokens; what is remembered stays."""
        old_rows, heads, old_length, _ = self.keys.shape
        if rows <= old_rows and length <= old_length:
            return
        for name in ("keys", "values"):
            old = getattr(self, name)
            shape = (max(rows, old_rows), heads, max(length, old_length), old.shape[3])
            wide = old.new_zeros(shape)
            wide[:old_rows, :, :old_length] = old
            setattr(self, name, wide)

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Let each row of `targets` (N,) continue from its row of `sources` (N,), all at once."""
        self.keys[targets] = self.keys[sources]
        self.values[targets] = self.values[sources]

    def kept(self) -> "AttentionState":
        """Itself: a pass writes only behind the tokens that it begins after."""
        return self

    def extend(self, keys: Tensor, values: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
        """Remember new keys and values (B, H, T, W) and give all of these rows, (B, H, S, W)."""
        assert frame.mask is not None
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


class RowState:
    """Values of one size for each row, (R, …), however much it has read.

    A pass makes new ones and leaves the old as they are, so that it can be undone.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
        self.values = torch.zeros(0, *shape, dtype=dtype, device=device)

    def grow(self, rows: int, length: int) -> None:
        """Make room for `rows` rows; what is remembered stays."""
        missing = rows - len(self.values)
        if missing > 0:
            more = self.values.new_zeros(missing, *self.values.shape[1:])
            self.values = torch.cat([self.values, more])

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Let each row of `targets` (N,) continue from its row of `sources` (N,), all at once."""
        self.values = self.values.index_copy(0, targets, self.values[sources])

    def kept(self) -> "RowState":
        """What is remembered now."""
        return shallow_copy(self)

    def read(self, frame: Frame, start: Tensor | None = None) -> Tensor:
        """The values (B, …) of the frame's rows; `start` (B, …), or 0, for those that begin."""
        values = self.values[frame.rows]
        begins = (frame.positions[:, 0] == 0).view(-1, *[1] * (values.dim() - 1))
        return torch.where(begins, torch.zeros_like(values) if start is None else start, values)

    def write(self, frame: Frame, values: Tensor) -> None:
        """Remember new values (B, …) of the frame's rows."""
        new = self.values.clone()
        new[frame.rows] = values
        self.values = new

    def put(self, row: int, values: Tensor) -> None:
        """Replace what one row remembers by values (…)."""
        self.grow(row + 1, 0)
        self.values[row] = values


class SourceState:
    """A recurrent state, where it begins for each row, and the source that the row attends to."""

    def __init__(self, hidden: RowState, start: RowState, memory: AttentionState) -> None:
        self.hidden = hidden
        self.start = start
        self.memory = memory

    def grow(self, rows: int, length: int) -> None:
        """Make room for `rows` rows; what is remembered stays."""
        for each in self._parts:
            each.grow(rows, 0)

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Let each row of `targets` (N,) continue from its row of `sources` (N,), all at once."""
        for each in self._parts:
            each.copy(sources, targets)

    def kept(self) -> "SourceState":
        """What is remembered now."""
        return SourceState(self.hidden.kept(), self.start, self.memory)

    def put(self, row: int, keys: Tensor, values: Tensor, start: Tensor) -> None:
        """Let a row attend to a source: (1, M, A) and (1, M, D), beginning with `start` (W)."""
        self.hidden.grow(row + 1, 0)
        self.start.put(row, start)
        self.memory.put(row, keys, values)

    @property
    def _parts(self) -> tuple[State, ...]:
        return self.hidden, self.start, self.memory
