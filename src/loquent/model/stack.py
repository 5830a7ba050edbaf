"""A stack of layers over embeddings: an encoder or a decoder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loquent.architecture import StackConfig
from loquent.blocks.attention import CrossAttention
from loquent.blocks.feedforward import Feedforward
from loquent.blocks.frame import Frame
from loquent.blocks.mixers import mixer
from loquent.blocks.norms import Norm, norm
from loquent.blocks.positions import RelativePositions, rotation, sinusoidal
from loquent.blocks.state import AttentionState, State
from loquent.errors import RequestError


@dataclass
class LayerState:
    """What one layer remembers: its mixer's state, and the encoder's output as it sees it."""

    mixer: State
    cross: AttentionState | None = None


@dataclass(frozen=True)
class Source:
    """The encoder's output (B, M, D) and how many of its tokens (B,) each row has.

    Without output, the layers' states hold what they need of it.
    """

    lengths: Tensor
    memory: Tensor | None = None


class Layer(nn.Module):
    """Mixer, cross attention and feedforward, each in a residual branch with a norm."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.before = config.norm_place == "pre"
        self.dropout = nn.Dropout(config.dropout)
        self.attention_norm = norm(config)
        self.attention = mixer(config)
        self.cross_norm = norm(config) if config.cross else None
        self.cross = CrossAttention(config) if config.cross else None
        self.feedforward_norm = norm(config) if config.feedforward else None
        self.feedforward = Feedforward(config) if config.feedforward else None

    def forward(self, x: Tensor, frame: Frame, state: LayerState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        mixed, crossed = (state.mixer, state.cross) if state else (None, None)
        x = self._branch(x, self.attention_norm, lambda y: self.attention(y, frame, mixed))
        if self.cross is not None and self.cross_norm is not None:
            cross = self.cross
            x = self._branch(x, self.cross_norm, lambda y: cross(y, frame, crossed))
        if self.feedforward is not None and self.feedforward_norm is not None:
            x = self._branch(x, self.feedforward_norm, self.feedforward)
        return x

    def new_state(self) -> LayerState:
        """A state without rows."""
        cross = self.cross.new_state() if self.cross is not None else None
        return LayerState(self.attention.new_state(), cross)

    def _branch(self, x: Tensor, norm: Norm, part: Callable[[Tensor], Tensor]) -> Tensor:
        out: Tensor
        out = x + self.dropout(part(norm(x))) if self.before else norm(x + self.dropout(part(x)))
        return out


class Stack(nn.Module):
    """Embeddings, positions, layers and norms of one encoder or decoder."""

    def __init__(
        self,
        config: StackConfig,
        vocabulary: int,
        embedding_scale: float = 1.0,
        embedding: nn.Embedding | None = None,
    ) -> None:
        """`embedding` is that of another stack, where two share one: it stays that stack's own."""
        super().__init__()
        self.config = config
        self.embedding_scale = embedding_scale
        self._shared = (embedding,)  # in a tuple, so that it does not count as a part of this one
        self.embedding = None if embedding else nn.Embedding(vocabulary, config.width)
        self.positions: nn.Embedding | None = None
        if config.positions == "learned":
            self.positions = nn.Embedding(config.length, config.width)
        self.segments = nn.Embedding(config.segments, config.width) if config.segments else None
        self.embedding_norm = norm(config) if config.embedding_norm else None
        self.relative: RelativePositions | None = None
        if config.positions == "relative":
            self.relative = RelativePositions(
                config.relative_buckets, config.relative_distance, config.heads, config.causal
            )
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = norm(config) if config.final_norm else None

    def forward(
        self,
        ids: Tensor,
        lengths: Tensor,
        *,
        starts: Tensor | None = None,
        rows: slice | Tensor | None = None,
        states: Sequence[LayerState] | None = None,
        source: Source | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Ids (B, T) of which `lengths` (B,) are real -> the last layer's output (B, T, D).

        With `states`, row i continues row `rows[i]` of them, which holds `starts[i]` tokens.
        Raises RequestError for more tokens than there are learned positions.
        """
        self._check_length(ids.shape[1], lengths, starts)
        positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        if starts is not None:
            positions = positions + starts[:, None]
        x = self._embed(ids, positions, segments)
        span = ids.shape[1] if states is None else int(positions[:, -1].max()) + 1
        rows = slice(0, len(ids)) if rows is None else rows
        frame = self._frame(positions, lengths, rows, source, span, x.dtype)
        for index, layer in enumerate(self.layers):
            x = layer(x, frame, states[index] if states else None)
        return x if self.norm is None else self.norm(x)

    def new_states(self) -> list[LayerState]:
        """What the layers remember, without rows."""
        return [layer.new_state() for layer in self.layers if isinstance(layer, Layer)]

    @property
    def table(self) -> nn.Embedding:
        """The embedding that this stack reads, its own or a shared one."""
        table = self.embedding or self._shared[0]
        assert table is not None
        return table

    def _check_length(self, count: int, lengths: Tensor, starts: Tensor | None) -> None:
        limit = self.config.length
        if self.positions is None or (starts is None and count <= limit):
            return
        end = int((lengths if starts is None else starts + lengths).max())
        if end > limit:
            raise RequestError(f"position {end - 1} is beyond the last of {limit}.")

    def _embed(self, ids: Tensor, positions: Tensor, segments: Tensor | None) -> Tensor:
        x: Tensor = self.table(ids) * self.embedding_scale
        if self.positions is not None:
            # padding may stand beyond the last position; it is seen by nothing
            x = x + self.positions(positions.clamp(max=self.config.length - 1))
        elif self.config.positions == "sinusoidal":
            x = x + sinusoidal(positions, self.config.width, x.dtype)
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(ids) if segments is None else segments)
        x = x if self.embedding_norm is None else self.embedding_norm(x)
        dropped: Tensor = self.dropout(x)
        return dropped

    def _frame(  # noqa: PLR0917  all that a frame is made of
        self,
        positions: Tensor,
        lengths: Tensor,
        rows: slice | Tensor,
        source: Source | None,
        span: int,
        dtype: torch.dtype,
    ) -> Frame:
        keys = torch.arange(span, device=positions.device)
        if self.config.causal:
            mask = keys <= positions[..., None]
        else:
            ends = positions[:, 0] + lengths
            mask = (keys < ends[:, None])[:, None].expand(-1, positions.shape[1], -1)
        turned = None
        if self.config.positions == "rotary":
            width = self.config.rotary_width
            turned = rotation(positions, self.config.rotary, width, dtype)
        bias = None if self.relative is None else self.relative(positions, span)
        return Frame(
            rows=rows,
            positions=positions,
            lengths=lengths,
            mask=mask[:, None],
            rotation=turned,
            bias=bias,
            memory=source.memory if source else None,
            memory_mask=_memory_mask(source) if source else None,
        )


def _memory_mask(source: Source) -> Tensor:
    """(B, 1, 1, M), where M is the longest source, or as long as the memory is."""
    span = int(source.lengths.max()) if source.memory is None else source.memory.shape[1]
    keys = torch.arange(max(span, 1), device=source.lengths.device)
    return (keys < source.lengths[:, None])[:, None, None]
