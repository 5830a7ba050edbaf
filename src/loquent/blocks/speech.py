"""What reads a sound: convolutions over its features."""

import torch
from torch import Tensor, nn

from loquent.architecture import FrontConfig
from loquent.blocks.feedforward import ACTIVATIONS


class Front(nn.ModuleList):
    """Convolutions along the frames of a sound, each with its activation (FrontConfig)."""

    def __init__(self, config: FrontConfig, width: int) -> None:
        inputs = [config.features, *(width for _ in config.kernels[1:])]
        super().__init__(
            nn.Conv1d(count, width, kernel, stride, padding=kernel // 2)
            for count, kernel, stride in zip(inputs, config.kernels, config.strides, strict=True)
        )
        self.config = config
        self.activation = ACTIVATIONS[config.activation]

    def forward(
        self, features: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Features (B, F, T) of which `lengths` (B,) or all frames are real -> states (B, T', D).

        With them how many states (B,) are real. A row gives the same alone and beside longer ones.
        """
        x = features
        for convolution, stride in zip(self, self.config.strides, strict=True):
            x = self.activation(convolution(_silenced(x, lengths)))
            lengths = None if lengths is None else (lengths - 1) // stride + 1
        return x.transpose(1, 2), lengths


def _silenced(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Zeros in place of padding (B, D, T), as beyond the ends of a row that stands alone."""
    if lengths is None:
        return x
    padding = torch.arange(x.shape[2], device=x.device) >= lengths[:, None]
    return x.masked_fill(padding[:, None], 0.0)
