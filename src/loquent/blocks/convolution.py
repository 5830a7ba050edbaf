"""Convolutional mixers: a token sees those in a window."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, glu, pad

from loquent.architecture import StackConfig
from loquent.blocks.feedforward import ACTIVATIONS
from loquent.blocks.frame import Frame
from loquent.blocks.state import RowState


class GatedConvolution(nn.Module):
    """(x * V + b) ⊗ σ(x * W + c) (Dauphin et al. 2017, §2); V stands before W in the weights.

    The window ends at the token where the stack is causal, and has it in its middle otherwise.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.causal = config.causal
        self.kernel = config.kernel
        self.convolution = nn.Conv1d(config.width, 2 * config.width, config.kernel)

    def forward(self, x: Tensor, frame: Frame, state: RowState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        if not self.causal:
            around = self.kernel // 2
            seen = pad(_silenced(x, frame.lengths), (0, 0, around, around))
        else:
            shape = (len(x), self.kernel - 1, x.shape[2])
            before = x.new_zeros(shape) if state is None else state.read(frame)
            seen = torch.cat([before, x], dim=1)
            if state is not None:
                state.write(frame, _last(seen, frame.lengths, self.kernel - 1))
        made: Tensor = glu(self.convolution(seen.transpose(1, 2)), dim=1)
        return made.transpose(1, 2)

    def new_state(self) -> RowState:
        """A state without rows: the last inputs of each."""
        weight = self.convolution.weight
        return RowState((self.kernel - 1, weight.shape[1]), weight.dtype, weight.device)


class TextConvolution(nn.Module):
    """Windows of several widths side by side, each with maps of its own (Kim 2014, §2).

    A row of `weight` holds one map of each width, (D, width) each, one behind the other.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.kernels = config.kernels
        self.activation = ACTIVATIONS[config.activation]
        maps = config.width // len(config.kernels)
        self.weight = nn.Parameter(torch.empty(maps, sum(config.kernels) * config.width))
        self.bias = nn.Parameter(torch.empty(config.width))

    def forward(self, x: Tensor, frame: Frame, state: RowState | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        width = x.shape[2]
        seen = _silenced(x, frame.lengths).transpose(1, 2)
        parts = torch.split(self.weight, [kernel * width for kernel in self.kernels], dim=1)
        biases = self.bias.chunk(len(self.kernels))
        made = [
            conv1d(
                pad(seen, ((kernel - 1) // 2, kernel // 2)), part.reshape(-1, width, kernel), bias
            )
            for kernel, part, bias in zip(self.kernels, parts, biases, strict=True)
        ]
        return self.activation(torch.cat(made, dim=1)).transpose(1, 2)

    def new_state(self) -> RowState:
        """A state of nothing: whole texts are read at once."""
        return RowState((0,), self.weight.dtype, self.weight.device)


def _silenced(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Zeros in place of padding, as beyond the ends of a row that stands alone."""
    if lengths is None:
        return x
    padding = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
    return x.masked_fill(padding[..., None], 0.0)


def _last(seen: Tensor, lengths: Tensor | None, count: int) -> Tensor:
    """Of `count` old inputs and new ones (B, count + T, D) the last real ones (B, count, D)."""
    if lengths is None:
        return seen[:, seen.shape[1] - count :]
    places = lengths[:, None] + torch.arange(count, device=seen.device)
    return seen.gather(1, places[..., None].expand(-1, -1, seen.shape[2]))
