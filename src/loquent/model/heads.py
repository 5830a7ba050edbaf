"""What is made of the last states: values for each token, or for each text."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from loquent.architecture import ModelConfig, Pooling
from loquent.blocks.feedforward import ACTIVATIONS
from loquent.blocks.norms import norm
from loquent.model.names import head


class Head(nn.Module):
    """A linear map of states: to each token's or class's value, or to an embedding of unit length.

    Some have a map with an activation and a norm before it (Devlin et al. 2019: a pooler for
    classes, a transformation for masked tokens).
    "span" gives a value as the first and one as the last token of an answer; "ctc" one for each
    token of the vocabulary, of which one is the blank (Graves et al. 2006).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        rows, own, bias = head(config)
        self.scale = config.logit_scale
        self.unit = config.output == "embedding"
        self.hidden: nn.Linear | None = None
        self.hidden_norm: nn.Module | None = None
        if config.head_activation:
            self.hidden = nn.Linear(config.top.width, config.top.width)
            self.activation = ACTIVATIONS[config.head_activation]
        if config.head_norm:
            self.hidden_norm = norm(config.top)
        self.weight: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        if rows and own:
            self.weight = nn.Parameter(torch.empty(rows, config.top.width))
        if rows and bias:
            self.bias = nn.Parameter(torch.empty(rows))

    def forward(self, x: Tensor, tied: Tensor | None) -> Tensor:
        """(…, D) -> (…, outputs); `tied` is the embedding where that is the matrix."""
        x = self.values(x, tied)
        return normalize(x, dim=-1) if self.unit else x

    def values(self, x: Tensor, tied: Tensor | None) -> Tensor:
        """The same, of an embedding before it is brought to unit length."""
        weight = self.weight if tied is None else tied
        return self.mapped(x) if weight is None else linear(self.before(x), weight, self.bias)

    def before(self, x: Tensor) -> Tensor:
        """(…, D) -> (…, D): what the head's matrix is multiplied with."""
        x = self.mapped(x)
        return x if self.scale == 1 else x * self.scale

    def mapped(self, x: Tensor) -> Tensor:
        """(…, D) -> (…, D): behind the map with its activation and norm, if there are any."""
        if self.hidden is not None:
            x = self.activation(self.hidden(x))
        return x if self.hidden_norm is None else self.hidden_norm(x)


def pool(x: Tensor, lengths: Tensor | None, how: Pooling) -> Tensor:
    """States (B, T, D), of which lengths (B,) or all are real -> one of each row, (B, D)."""
    if how == "first":
        return x[:, 0]
    if how == "last":
        if lengths is None:
            return x[:, -1]
        return x[torch.arange(len(x), device=x.device), lengths.clamp(min=1) - 1]
    if lengths is None:
        return x.amax(1) if how == "max" else x.mean(1)
    padding = (torch.arange(x.shape[1], device=x.device) >= lengths[:, None])[..., None]
    if how == "max":
        return x.masked_fill(padding, -torch.inf).amax(1)
    return x.masked_fill(padding, 0.0).sum(1) / lengths.clamp(min=1)[:, None]
