"""Ways to tell a network where a token stands."""

import math

import torch
from torch import Tensor, nn

from loquent.architecture import RotaryConfig, rotary_frequencies


def sinusoidal(
    positions: Tensor, width: int, dtype: torch.dtype, *, halves: bool = False
) -> Tensor:
    """Sines at even and cosines at odd places (Vaswani et al. 2017, §3.5): (B, T) -> (B, T, D).

    With `halves` all sines come first, then all cosines, as the authors' own code has it.
    """
    even = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device)
    angles = positions[..., None] * 10000.0 ** (-even / width)
    pairs = torch.stack([angles.sin(), angles.cos()], dim=-1)
    if halves:
        return torch.cat([pairs[..., 0], pairs[..., : width // 2, 1]], dim=-1).to(dtype)
    return pairs.flatten(-2)[..., :width].to(dtype)


def rotation(
    positions: Tensor, rotary: RotaryConfig, width: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosines and sines for `rotate`: (B, T) -> (B, 1, T, width) twice."""
    frequencies = torch.tensor(
        rotary_frequencies(rotary, width), dtype=torch.float64, device=positions.device
    )
    angles = positions[:, None, :, None] * frequencies
    angles = torch.cat([angles, angles], dim=-1)
    return (
        (angles.cos() * rotary.magnitude).to(dtype),
        (angles.sin() * rotary.magnitude).to(dtype),
    )


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Turn pairs that stand half of the rotated width apart (Su et al. 2021): (B, H, T, W).

    Products in bfloat16 stay such, though the angles of a network in float32 are finer.
    """
    cosine, sine = rotation
    width = cosine.shape[-1]
    turned, rest = x[..., :width], x[..., width:]
    first, second = turned.chunk(2, dim=-1)
    turned = turned * cosine + torch.cat([-second, first], dim=-1) * sine
    turned = turned.to(x.dtype)
    return torch.cat([turned, rest], dim=-1) if rest.shape[-1] else turned


class RelativePositions(nn.Module):
    """A bias for each head and each bucket of distances (Raffel et al. 2020, §2.1)."""

    def __init__(self, buckets: int, distance: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(buckets, heads))
        self.buckets = buckets
        self.distance = distance
        self.causal = causal

    def forward(self, positions: Tensor, span: int) -> Tensor:
        """Positions (B, T) of the queries, keys 0 … span-1 -> (B, H, T, span)."""
        keys = torch.arange(span, device=positions.device)
        buckets = self.bucket(keys - positions[..., None])
        return self.weight[buckets].permute(0, 3, 1, 2)

    def bucket(self, offset: Tensor) -> Tensor:
        """The bucket of key position − query position, any shape.

        Half of the buckets are exact distances, the others grow with their logarithm up to
        `distance`; where both directions are seen, each has half of all.
        """
        count = self.buckets
        if self.causal:
            side, far = torch.zeros_like(offset), (-offset).clamp(min=0)
        else:
            count //= 2
            side, far = (offset > 0).long() * count, offset.abs()
        exact = count // 2
        growth = torch.log(far.clamp(min=1).float() / exact) / math.log(self.distance / exact)
        wide = (exact + (growth * (count - exact)).long()).clamp(max=count - 1)
        return side + torch.where(far < exact, far, wide)
