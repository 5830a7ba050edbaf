"""First weights: a new network says nothing yet, so its first loss is about ln(vocabulary)."""

import math

import torch
from torch import nn

from loquent.model.model import Model

_DEVIATION = 0.02  # of most weights (Radford et al. 2019; Vaswani-size networks are close to it)


def initialize(model: Model, seed: int) -> None:
    """Draw all weights anew: normal, smaller where a residual branch ends, norms at one.

    The branches' ends are divided by √(branches), so that the sum of all of them keeps its size
    (Radford et al. 2019, §2.3).
    """
    generator = torch.Generator().manual_seed(seed)
    branches = {
        name: sum(2 + stack.cross for _ in range(stack.layers))
        for name, stack in (("encoder", model.config.encoder), ("decoder", model.config.decoder))
        if stack is not None
    }
    norms = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm | nn.RMSNorm)
    }
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            owner, _, kind = name.rpartition(".")
            if kind == "bias":
                parameter.zero_()
            elif owner in norms:
                parameter.fill_(1.0)
            else:
                ends = owner.endswith((".output", ".down"))
                deviation = _DEVIATION / (math.sqrt(branches[name.split(".")[0]]) if ends else 1)
                drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(drawn * deviation)
