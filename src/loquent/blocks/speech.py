"""What reads a sound: convolutions over its features, and one that tells where a state stands."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from loquent.architecture import FrontConfig, StackConfig
from loquent.blocks.feedforward import ACTIVATIONS

_EPSILON = 1e-5  # of the norms behind convolutions


class Front(nn.Module):
    """Convolutions along the frames of a sound, each with its activation (FrontConfig).

    The parameters of convolution N are named "N.weight" and "N.bias".
    """

    def __init__(self, config: FrontConfig, stack: StackConfig) -> None:
        super().__init__()
        width = config.width or stack.width
        inputs = [config.features, *(width for _ in config.kernels[1:])]
        for index, (count, kernel, stride) in enumerate(
            zip(inputs, config.kernels, config.strides, strict=True)
        ):
            around = kernel // 2 if config.padded else 0
            made = nn.Conv1d(count, width, kernel, stride, padding=around, bias=config.bias)
            self.add_module(str(index), made)
        self.config = config
        self.activation = ACTIVATIONS[config.activation]
        self.norms: nn.ModuleList | None = None
        if config.norms == "first":
            self.norms = nn.ModuleList([ChannelNorm(width)])
        elif config.norms == "all":
            self.norms = nn.ModuleList(StateNorm(width, eps=_EPSILON) for _ in config.kernels)
        self.projection_norm: nn.LayerNorm | None = None
        if config.projection_norm:
            self.projection_norm = nn.LayerNorm(width, eps=stack.norm_epsilon)
        self.projection = nn.Linear(width, stack.width) if config.projected else None

    def forward(
        self, features: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Features (B, F, T) of which `lengths` (B,) or all frames are real -> states (B, T', D).

        With them how many states (B,) are real. A row gives the same alone and beside longer ones.
        """
        x = features
        norms: list[nn.Module] = [] if self.norms is None else list(self.norms)
        for index, (first, stride) in enumerate(self.config.steps):
            x = self.get_submodule(str(index))(silenced(x, lengths))
            lengths = None if lengths is None else (lengths - first) // stride + 1
            x = self.activation(norms[index](x, lengths) if index < len(norms) else x)
        x = x.transpose(1, 2)
        x = x if self.projection_norm is None else self.projection_norm(x)
        return x if self.projection is None else self.projection(x), lengths


class ChannelNorm(nn.Module):
    """Each channel brought to mean 0 and deviation 1 over time (Ulyanov et al. 2016), then scaled.

    This is a GroupNorm with a group for each channel that leaves padding out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, D, T), of which `lengths` (B,) or all are real -> (B, D, T)."""
        real = torch.ones_like(x[:, :1])
        if lengths is not None:
            real = real.masked_fill(_padding(x, lengths)[:, None], 0.0)
        count = real.sum(2, keepdim=True)
        mean = (x * real).sum(2, keepdim=True) / count
        variance = ((x - mean).square() * real).sum(2, keepdim=True) / count
        made = (x - mean) * (variance + _EPSILON).rsqrt()
        return made * self.weight[:, None] + self.bias[:, None]


class StateNorm(nn.LayerNorm):
    """LayerNorm of each state of a convolution."""

    def forward(self, x: Tensor, _lengths: Tensor | None = None) -> Tensor:
        """(B, D, T) -> (B, D, T)."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class PositionConvolution(nn.Conv1d):
    """What stands around a state tells where it stands (Baevski et al. 2020, §2)."""

    def __init__(self, config: StackConfig) -> None:
        assert config.front is not None
        width, kernel = config.width, config.position_kernel
        super().__init__(width, width, kernel, groups=config.position_groups)
        self.activation = ACTIVATIONS[config.front.activation]
        self.around = (kernel // 2, (kernel - 1) // 2)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, D), of which `lengths` (B,) or all are real -> what is to be added (B, T, D)."""
        seen = pad(silenced(x.transpose(1, 2), lengths), self.around)
        return self.activation(super().forward(seen)).transpose(1, 2)


def silenced(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Zeros in place of padding (B, D, T), as beyond the ends of a row that stands alone."""
    return x if lengths is None else x.masked_fill(_padding(x, lengths)[:, None], 0.0)


def _padding(x: Tensor, lengths: Tensor) -> Tensor:
    """(B, T) True behind the real part of each row of (B, D, T)."""
    return torch.arange(x.shape[2], device=x.device) >= lengths[:, None]
