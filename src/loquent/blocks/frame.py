"""What all layers of one pass share, computed once and passed to each."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Frame:
    """The shape of one pass over B rows of up to T new tokens, S tokens with those remembered."""

    rows: slice | Tensor  # the state's rows that the rows of x continue: consecutive ones, or (B,)
    positions: Tensor  # (B, T) place of each token in its row or packed document, from 0
    causal: bool  # a token sees only those before it
    lengths: Tensor | None = None  # (B,) new tokens of each row, padding behind them; None: all T
    mask: Tensor | None = None  # (B, 1, T, S) True where a token may look; None: as `causal` says
    rotation: tuple[Tensor, Tensor] | None = None  # cosine and sine, each (B, 1, T, rotary_width)
    bias: Tensor | None = None  # (B, H, T, S) added to the scores: relative positions
    memory: Tensor | None = None  # (B, M, memory_width) the encoder's output, where not in states
    watched: list[Tensor] | None = None  # takes each layer's attention to the memory (B, H, T, M)
    memory_mask: Tensor | None = None  # (B, 1, 1, M) True at its tokens; None: all are real
