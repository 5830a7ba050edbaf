"""Attention (Vaswani et al. 2017, §3.2), with key/value heads shared by groups of queries."""

import torch
from torch import Tensor, nn

from loquent.architecture import StackConfig
from loquent.blocks.dropout import dropout
from loquent.blocks.frame import Frame
from loquent.blocks.positions import rotate
from loquent.blocks.products import attend
from loquent.blocks.state import AttentionState


class Attention(nn.Module):
    """Each token gathers from those of its own row (grouped queries: Ainslie et al. 2023)."""

    def __init__(self, config: StackConfig, source_width: int = 0) -> None:
        super().__init__()
        width, source = config.width, source_width or config.width
        self.head_width = config.each_head_width
        self.key_heads = config.key_heads
        self.scale = config.scale
        self.dropout = config.key_dropout
        self.query = nn.Linear(width, config.query_width, config.attention_bias)
        self.key = nn.Linear(source, config.key_width, config.attention_bias)
        self.value = nn.Linear(source, config.key_width, config.attention_bias)
        self.output = nn.Linear(config.query_width, width, config.output_bias)

    def forward(self, x: Tensor, frame: Frame, state: AttentionState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        query, (keys, values) = self._heads(self.query(x)), self.project(x)
        if frame.rotation is not None:
            query, keys = rotate(query, frame.rotation), rotate(keys, frame.rotation)
        if state is not None:
            keys, values = state.extend(keys, values, frame)
        return self.gather(query, keys, values, frame.mask, frame.bias, frame.causal)

    def new_state(self) -> AttentionState:
        """A state without rows."""
        weight = self.key.weight
        return AttentionState(self.key_heads, self.head_width, weight.dtype, weight.device)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of x (B, S, D): (B, H, S, W) each."""
        return self._heads(self.key(x)), self._heads(self.value(x))

    def gather(  # noqa: PLR0917  all that a product of attention is made of
        self,
        query: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
        causal: bool = False,
    ) -> Tensor:
        """Queries (B, H, T, W) over keys and values (B, H, S, W) -> (B, T, D).

        Without a mask, `causal` says whether a query sees only the keys up to its own place; torch
        then has faster kernels. In training a share of the keys of each head is dropped, the same
        for all queries (as Gal and Ghahramani 2016, §4, share what is dropped along a sequence):
        with other keys for each query torch computes every weight of attention by itself, which
        takes 20 times as long.
        """
        if self.training and self.dropout:
            values = values * dropout(values.new_ones(*values.shape[:-1], 1), self.dropout)
        if bias is not None:
            assert mask is not None or not causal
            mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
        gathered = attend(query, keys, values, mask, causal=causal, scale=self.scale)
        out: Tensor = self.output(gathered.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, H·W) -> (B, H, T, W)."""
        return x.view(*x.shape[:-1], -1, self.head_width).transpose(1, 2)


class CrossAttention(Attention):
    """Each token gathers from the encoder's output, whose keys and values are made once a row."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__(config, config.memory_width)

    def forward(self, x: Tensor, frame: Frame, state: AttentionState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        if frame.memory is not None:
            keys, values = self.project(frame.memory)
        else:
            assert state is not None
            assert frame.memory_mask is not None
            span = frame.memory_mask.shape[-1]
            keys, values = state.keys[frame.rows, :, :span], state.values[frame.rows, :, :span]
        query = self._heads(self.query(x))
        if frame.watched is not None:
            frame.watched.append(self._weights(query, keys, frame.memory_mask))
        return self.gather(query, keys, values, frame.memory_mask, None)

    def _weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        """How much each query (B, H, T, W) looks at each key (B, H', M, W): (B, H, T, M)."""
        keys = keys.repeat_interleave(query.shape[1] // keys.shape[1], dim=1)
        scores = query @ keys.transpose(-1, -2) * self.scale
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1)

    def attach(self, state: AttentionState, row: int, memory: Tensor) -> None:
        """Let a row of the state attend to an encoder's output (1, M, D)."""
        keys, values = self.project(memory)
        state.put(row, keys[0], values[0])
