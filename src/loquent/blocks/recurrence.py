"""Recurrent mixers: a state that each token changes, computed by torch's fused kernels."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from loquent.architecture import Mixer, StackConfig
from loquent.blocks.frame import Frame
from loquent.blocks.state import RowState

_KERNELS: Mapping[Mixer, Callable[..., tuple[Tensor, ...]]] = {
    "rnn": torch.rnn_tanh,
    "gru": torch.gru,
    "lstm": torch.lstm,
}


class Gates(nn.Module):
    """The matrix and bias of all gates for one input, one gate behind the other."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))
        self.bias = nn.Parameter(torch.empty(rows))


class Recurrence(nn.Module):
    """A recurrent network over the tokens of each row, one way or both.

    "rnn": h = tanh(W x + U h) (Elman 1990); "gru": Cho et al. 2014, with the reset gate behind the
    product, as cuDNN has it; "lstm": Hochreiter and Schmidhuber 1997 with the forget gate of Gers
    et al. 2000. Gates stand in torch's order. Both ways: one half of the width each, the second
    from each row's last real token back (Schuster and Paliwal 1997).
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.kernel = _KERNELS[config.mixer]
        self.vectors = 2 if config.mixer == "lstm" else 1  # of a state: an LSTM has a cell, too
        self.hidden = config.hidden_width
        rows = config.gates * self.hidden
        self.input = Gates(rows, config.width)
        self.recurrent = Gates(rows, self.hidden)
        self.backward_input = None if config.causal else Gates(rows, config.width)
        self.backward_recurrent = None if config.causal else Gates(rows, self.hidden)

    def forward(self, x: Tensor, frame: Frame, state: RowState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        both = self.backward_input is not None
        if state is None:
            shape = (2 if both else 1, len(x), self.hidden)
            start = [x.new_zeros(shape) for _ in range(self.vectors)]
        else:
            start = [each[None].contiguous() for each in state.read(frame).unbind(1)]
        # nothing behind the last real token is read: only its state or a way back needs its place
        lengths = frame.lengths if both or state is not None else None
        out, last = self._run(x, start, lengths)
        if state is not None:
            state.write(frame, torch.stack([each[0] for each in last], dim=1))
        return out

    def new_state(self) -> RowState:
        """A state without rows."""
        weight = self.input.weight
        return RowState((self.vectors, self.hidden), weight.dtype, weight.device)

    def _run(
        self, x: Tensor, start: list[Tensor], lengths: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Outputs (B, T, D), and the state behind the last real token as `start` has it."""
        if lengths is None:
            out, *last = self._call(x, None, start)
            return out, last
        sizes = lengths.cpu().clamp(min=1)
        packed = pack_padded_sequence(x, sizes, batch_first=True, enforce_sorted=False)
        order, back = packed.sorted_indices, packed.unsorted_indices
        assert order is not None
        assert back is not None
        start = [each.index_select(1, order) for each in start]
        data, *last = self._call(packed.data, packed.batch_sizes, start)
        made = PackedSequence(data, packed.batch_sizes, order, back)
        out, _ = pad_packed_sequence(made, batch_first=True, total_length=x.shape[1])
        return out, [each.index_select(1, back) for each in last]

    def _call(self, x: Tensor, sizes: Tensor | None, start: list[Tensor]) -> tuple[Tensor, ...]:
        ways = [self.input, self.recurrent, self.backward_input, self.backward_recurrent]
        maps = [each for each in ways if each is not None]
        weights = [
            kind
            for one, other in zip(maps[::2], maps[1::2], strict=True)
            for kind in (one.weight, other.weight, one.bias, other.bias)
        ]
        if not x.is_cuda:  # oneDNN mixes no precisions; cuDNN casts what it is given
            kind = self.input.weight.dtype
            x, start = x.to(kind), [each.to(kind) for each in start]
        begin = start if self.vectors == 2 else start[0]
        # cuDNN differentiates only what ran in training mode; there is no dropout within
        options = (True, 1, 0.0, torch.is_grad_enabled(), len(maps) == 4)
        # on a GPU torch warns that the weights do not lie side by side, which costs a small copy
        with (
            catch_warnings() if x.is_cuda else nullcontext(),
            torch.autocast("cpu", enabled=False),
        ):
            if x.is_cuda:
                simplefilter("ignore", UserWarning)
            if sizes is None:
                return self.kernel(x, begin, weights, *options, True)
            return self.kernel(x, sizes, begin, weights, *options)
