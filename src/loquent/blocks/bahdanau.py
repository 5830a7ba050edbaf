"""The recurrent decoder that searches through its source (Bahdanau et al. 2015)."""

import torch
from torch import Tensor, nn

from loquent.architecture import StackConfig
from loquent.blocks.frame import Frame
from loquent.blocks.recurrence import Gates
from loquent.blocks.state import AttentionState, RowState, SourceState


class Bahdanau(nn.Module):
    """s' = GRU([x; c], s) with c = Σ α h and α = softmax(v tanh(W s + U h)) (§3.1, A.1.2).

    It begins with s = tanh(W [h→; h←]) (A.2.2), of what the source's encoder has read last in
    either way: the first half of its last token's output, the second half of its first token's.
    The GRU is that of the mixer "gru".
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        width, source = config.width, config.memory_width or config.width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(source, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.start = nn.Linear(source, width, bias=False)
        self.input = Gates(config.gates * width, width + source)
        self.recurrent = Gates(config.gates * width, width)

    def forward(self, x: Tensor, frame: Frame, state: SourceState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        mask = None if frame.memory_mask is None else frame.memory_mask[:, 0, 0]
        if frame.memory is not None:
            keys, values, hidden = self.project(frame.memory, mask)
        else:
            assert state is not None
            assert mask is not None
            rows, span = frame.rows, mask.shape[-1]
            keys, values = (
                each[rows, 0, :span] for each in (state.memory.keys, state.memory.values)
            )
            hidden = state.start.values[rows]
        if state is not None:
            hidden = state.hidden.read(frame, hidden)
        inner, outer = self.input, self.recurrent
        made = []
        for each in x.unbind(1):
            seen = torch.cat([each, self.context(hidden, keys, values, mask)], dim=-1)
            hidden = torch.gru_cell(
                seen, hidden, inner.weight, outer.weight, inner.bias, outer.bias
            )
            made.append(hidden)
        out = torch.stack(made, dim=1)
        if state is not None:
            ends = None if frame.lengths is None else frame.lengths - 1
            last = out[:, -1] if ends is None else out[torch.arange(len(out)), ends]
            state.hidden.write(frame, last)
        return out

    def project(self, memory: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """U h (B, M, A), h (B, M, D) and the first state (B, W) of a source, made once a row."""
        if mask is None:
            last = memory[:, -1]
        else:
            ends = mask.sum(-1).clamp(min=1) - 1
            last = memory[torch.arange(len(memory), device=memory.device), ends]
        half = memory.shape[2] // 2
        ways = torch.cat([last[:, :half], memory[:, 0, half:]], dim=-1)
        return self.key(memory), memory, torch.tanh(self.start(ways))

    def context(self, hidden: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """What a state (B, W) finds in its source, (B, D)."""
        scores: Tensor = self.score(torch.tanh(self.query(hidden)[:, None] + keys))[..., 0]
        scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
        return (scores.softmax(-1)[:, None] @ values)[:, 0]

    def new_state(self) -> SourceState:
        """A state without rows."""
        weight = self.key.weight
        width, source = weight.shape
        hidden, start = (RowState((width,), weight.dtype, weight.device) for _ in range(2))
        memory = AttentionState(1, width, weight.dtype, weight.device, source)
        return SourceState(hidden, start, memory)

    def attach(self, state: SourceState, row: int, memory: Tensor) -> None:
        """Let a row of the state attend to an encoder's output (1, M, D)."""
        keys, values, start = self.project(memory, None)
        state.put(row, keys, values, start[0])
