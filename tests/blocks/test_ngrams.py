"""Which bucket an n-gram is in."""

import torch

from loquent.blocks.ngrams import buckets, within


def test_buckets_are_the_same_everywhere_and_depend_on_order_and_size() -> None:
    """A checkpoint means nothing where these numbers are others."""
    ids = torch.tensor([[3, 1, 4, 1, 5, 3, 1]])
    two = buckets(ids, 2, 2**17)[0, 1:].tolist()
    assert two == [3186, 32959, 53837, 32960, 104490, 3186]
    assert buckets(ids, 3, 1000)[0, 2:].tolist() == [105, 842, 116, 568, 864]


def test_buckets_are_used_alike() -> None:
    """As many are filled as by chance, of n-grams of a vocabulary as large as any."""
    ids = torch.randint(2**20, (50, 1000), generator=torch.Generator().manual_seed(0))
    for size in (2, 5, 8):
        found = buckets(ids, size, 2**16)[:, size - 1 :]
        wanted = 2**16 * (1 - (1 - 2**-16) ** found.numel())
        assert abs(found.unique().numel() / wanted - 1) < 0.01


def test_an_ngram_lies_within_a_row_and_a_document() -> None:
    ids = torch.zeros(1, 5, dtype=torch.long)
    assert within(ids, 3, None).tolist() == [[False, False, True, True, True]]
    assert within(ids, 7, None).tolist() == [[False] * 5]
    runs = torch.tensor([[1, 1, 2, 2, 2]])
    assert within(ids, 2, runs).tolist() == [[False, True, False, True, True]]
    assert within(ids, 7, runs).tolist() == [[False] * 5]
