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
        if state is None and self.backward_input is not None:
            return self._both(x, frame.lengths)
        if state is None:  # nothing behind the last real token is read
            return self._call(x, None, self._begin(x, 1), self._ways())[0]
        start = [each[None].contiguous() for each in state.read(frame).unbind(1)]
        out, last = self._run(x, start, frame.lengths)
        state.write(frame, torch.stack([each[0] for each in last], dim=1))
        return out

    def new_state(self) -> RowState:
        """A state without rows."""
        weight = self.input.weight
        return RowState((self.vectors, self.hidden), weight.dtype, weight.device)

    def _begin(self, x: Tensor, ways: int) -> list[Tensor]:
        """States before the first token."""
        return [x.new_zeros(ways, len(x), self.hidden) for _ in range(self.vectors)]

    def _ways(self) -> list[Gates]:
        """The maps of input and state, of one way or both."""
        every = [self.input, self.recurrent, self.backward_input, self.backward_recurrent]
        return [each for each in every if each is not None]

    def _both(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(B, T, D) -> (B, T, D), zeros at padding.

        Of padded rows the way back is one forth over each row turned around. A packed sequence does
        without padding, but on a CPU its gradient writes all of it anew for each token.
        """
        ways = self._ways()
        if lengths is None:
            return self._call(x, None, self._begin(x, 2), ways)[0]
        places = torch.arange(x.shape[1], device=x.device)
        mirrored = lengths[:, None] - 1 - places
        padding = mirrored < 0
        rows = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
        turned = (rows + mirrored.where(~padding, places)).flatten()
        forth = self._call(x, None, self._begin(x, 1), ways[:2])[0]
        back = self._call(_taken(x, turned), None, self._begin(x, 1), ways[2:])[0]
        out = torch.cat([forth, _taken(back, turned)], dim=-1)
        return out.masked_fill(padding[..., None], 0.0)

    def _run(
        self, x: Tensor, start: list[Tensor], lengths: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Outputs (B, T, D), and the state behind the last real token as `start` has it."""
        if lengths is None:
            out, *last = self._call(x, None, start, self._ways())
            return out, last
        sizes = lengths.cpu().clamp(min=1)
        packed = pack_padded_sequence(x, sizes, batch_first=True, enforce_sorted=False)
        order, back = packed.sorted_indices, packed.unsorted_indices
        assert order is not None
        assert back is not None
        start = [each.index_select(1, order) for each in start]
        data, *last = self._call(packed.data, packed.batch_sizes, start, self._ways())
        made = PackedSequence(data, packed.batch_sizes, order, back)
        out, _ = pad_packed_sequence(made, batch_first=True, total_length=x.shape[1])
        return out, [each.index_select(1, back) for each in last]

    def _call(
        self, x: Tensor, sizes: Tensor | None, start: list[Tensor], maps: list[Gates]
    ) -> tuple[Tensor, ...]:
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


def _taken(x: Tensor, places: Tensor) -> Tensor:
    """(B, T, D) with the tokens of all rows in another order: of `places` (B·T)."""
    return x.flatten(0, 1).index_select(0, places).view_as(x)
