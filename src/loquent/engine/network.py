"""All that the engine knows of a network: ids in, logits out, and a memory with rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig

Logits = NDArray[np.float32]  # (N, V): one row for each token that asked for them


@dataclass(frozen=True)
class Tokens:
    """The tokens of one step, of any rows in one flat list; a row's tokens stand in order."""

    ids: NDArray[np.int32]  # (N,)
    rows: NDArray[np.int32]  # (N,) row of the memory that each token continues
    positions: NDArray[np.int32]  # (N,) place of each token in its row, from 0
    wanted: NDArray[np.bool_]  # (N,) True where logits are asked for


class Memory(Protocol):
    """What a network remembers of each row: keys and values, or a recurrent state."""

    def clear(self, row: int) -> None:
        """Forget a row, so that another sequence may take it."""

    def copy(self, source: int, target: int) -> None:
        """Let row `target` continue from all that row `source` has seen."""

    def reorder(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Let each of `rows` continue from the row at the same place in `sources`, all at once."""

    def attach(self, row: int, source: Sequence[int]) -> None:
        """Encode the ids of `source`, for the decoder of this row to attend to."""


class Network(Protocol):
    """A network as an executor offers it; the engine drives it and knows nothing more."""

    config: ModelConfig
    position_bytes: int  # that a row remembers of each token; 0 where it cannot go back to one

    def new_memory(self, rows: int, length: int) -> Memory:
        """An empty memory for `rows` sequences of up to `length` tokens."""

    def step(self, memory: Memory, tokens: Tokens) -> Logits:
        """Read the tokens into the memory; logits (wanted, V) for those that ask for them."""
