"""Dropout (Srivastava et al. 2014) whose random numbers cost little on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 2**16  # that a share can have: 16 bits are drawn for each value


class Dropout(nn.Module):
    """In training a share of the values, each by itself, is 0 and the others are larger for it."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(…) -> (…)."""
        return dropout(x, self.share) if self.training and self.share else x

    def extra_repr(self) -> str:
        """The share, for who prints the network."""
        return str(self.share)


def dropout(x: Tensor, share: float) -> Tensor:
    """X with a share of its values dropped, so that the mean stays."""
    if x.device.type != "cpu":
        return functional.dropout(x, share)
    # torch draws two words of 32 bits for each value; here one of 64 bits serves four
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    levels = words.view(torch.int16)[: x.numel()].view(x.shape)
    dropped = min(round(share * _LEVELS), _LEVELS - 1)  # some are kept, however few
    kept = torch.ge(levels, dropped - _LEVELS // 2, out=torch.empty(x.shape, dtype=x.dtype))
    return (x * kept).mul_(_LEVELS / (_LEVELS - dropped))
