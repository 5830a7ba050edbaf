"""First weights: a new network says nothing yet, so its first loss is about ln(vocabulary)."""

import math

import torch
from torch import Tensor, nn

from loquent.architecture import ModelConfig
from loquent.model.model import Model

_DEVIATION = 0.02  # of most weights (Radford et al. 2019; Vaswani-size networks are close to it)
_POSITION_SIZES = {"learned": _DEVIATION, "sinusoidal": math.sqrt(0.5)}  # beside embeddings


def initialize(model: Model, seed: int) -> None:
    """Draw all weights anew: normal, smaller where a residual branch ends, norms at one.

    The branches' ends are divided by √(branches), so that the sum of all of them keeps its size
    (Radford et al. 2019, §2.3). Rows of the head are smaller where `_head_deviation` says so.
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
    head = _head(model)
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
                deviation = _head_deviation(model.config) if parameter is head else deviation
                drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(drawn * deviation)


def _head(model: Model) -> Tensor | None:
    """The matrix whose rows are multiplied with the last state to give the logits."""
    if model.decoder is None or model.head is None:
        return None
    return model.decoder.table.weight if model.head.weight is None else model.head.weight


def _head_deviation(config: ModelConfig) -> float:
    """The deviation σ of the head's rows with which a new network favors no token by much.

    The last state has about unit size, so a logit deviates by σ√width, which adds half of its
    square to the loss; 2 % of ln(vocabulary) are let pass. With tied weights, the state also keeps
    a share of its own token's row, no more than embeddings of size σ·scale have beside positions of
    size p; that token's logit, σ·width·share, is kept below ln(vocabulary) / 2, so that its
    exponential stays far below the sum of all others.
    """
    stack = config.decoder
    assert stack is not None
    most, scale = math.log(max(config.vocabulary, 2)), max(config.logit_scale, 1.0)
    noise = math.sqrt(0.04 * most / stack.width) / scale
    if not config.tied:
        return min(_DEVIATION, noise)
    limit = most / (2 * stack.width * scale)  # for a state that is nothing but the token's row
    place = _POSITION_SIZES.get(stack.positions, 0.0) / config.embedding_scale
    square = (limit**2 + math.sqrt(limit**4 + 4 * limit**2 * place**2)) / 2
    return min(_DEVIATION, noise, math.sqrt(square))
