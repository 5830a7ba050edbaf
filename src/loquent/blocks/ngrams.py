"""Vectors of n-grams: of tokens that stand behind each other."""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from loquent.architecture import StackConfig

_FACTOR = 116_049_371  # as fastText's hash has it
_PRIME = 2**31 - 1  # what products are reduced by, so that they stay below 2**63


class NGrams(nn.Module):
    """A table of vectors that all n-grams share by a hash of their tokens (Joulin et al. 2017)."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.sizes = config.ngrams
        self.weight = nn.Parameter(torch.empty(config.buckets, config.width))

    def forward(self, ids: Tensor, runs: Tensor | None = None) -> Tensor:
        """Ids (B, T) -> the sum (B, T, D) of the vectors of the n-grams that end with each token.

        Padding stands behind all tokens, so that no token's n-gram has any. `runs` (B, T) numbers
        the documents that a row is packed of, from 1: an n-gram lies within one.
        """
        found = [buckets(ids, size, len(self.weight)) for size in self.sizes]
        there = [within(ids, size, runs) for size in self.sizes]
        count = len(self.sizes)
        made = embedding_bag(
            torch.stack(found, -1).view(-1, count),
            self.weight,
            mode="sum",
            per_sample_weights=torch.stack(there, -1).view(-1, count).to(self.weight.dtype),
        )
        return made.view(*ids.shape, -1)


def buckets(ids: Tensor, size: int, count: int) -> Tensor:
    """Ids (B, T) -> which of `count` buckets (B, T) the n-gram of `size` that ends there is in.

    A polynomial of the tokens' numbers, which is the same on every machine; where a row's first
    tokens are too few, those that lack are numbered 0.
    """
    row = torch.nn.functional.pad(ids + 1, (size - 1, 0))
    made = torch.full_like(ids, size)
    for place in range(size):
        made = (made * _FACTOR + row[:, place : place + ids.shape[1]]) % _PRIME
    return made % count


def within(ids: Tensor, size: int, runs: Tensor | None) -> Tensor:
    """Where (B, T) an n-gram of `size` ends that begins in the same row and document."""
    made = torch.zeros_like(ids, dtype=torch.bool)
    made[:, size - 1 :] = True if runs is None else runs[:, size - 1 :] == runs[:, : 1 - size]
    return made
