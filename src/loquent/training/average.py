"""An average of the weights over the steps."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Average:
    """The exponential moving average of weights (Polyak and Juditsky 1992 averaged all alike).

    Early on, its decay is (1 + step) / (10 + step) where that is less, so that the first weights
    are soon forgotten.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self.tensors: dict[str, Tensor] = {
            name: each.detach().clone() for name, each in parameters.items()
        }
        self._parameters = parameters
        self._decay = decay

    def update(self, number: int) -> None:
        """Move towards the weights as step `number` has left them."""
        decay = min(self._decay, (1 + number) / (10 + number))
        weights = [each.detach() for each in self._parameters.values()]
        torch._foreach_lerp_(list(self.tensors.values()), weights, 1 - decay)
