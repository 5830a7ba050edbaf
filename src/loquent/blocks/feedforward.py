"""The part of a layer that works on each token by itself."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from loquent.architecture import Activation, StackConfig

ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": functional.gelu,  # Hendrycks and Gimpel 2016
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),  # their approximation
    "silu": functional.silu,
    "tanh": torch.tanh,
}


class Feedforward(nn.Module):
    """down(activation(up(x))) (Vaswani et al. 2017, §3.3), or gated (Shazeer 2020)."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        width, inner, bias = config.width, config.feedforward, config.feedforward_bias
        self.activation = ACTIVATIONS[config.activation]
        self.gate = nn.Linear(width, inner, bias) if config.gated else None
        self.up = nn.Linear(width, inner, bias)
        self.down = nn.Linear(inner, width, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        if self.gate is None:
            inner = self.activation(self.up(x))
        else:
            inner = self.activation(self.gate(x)) * self.up(x)
        out: Tensor = self.down(inner)
        return out
