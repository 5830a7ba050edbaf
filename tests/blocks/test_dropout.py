"""Dropout drops as many as it is told, keeps the mean, and is repeated by its seed."""

import pytest
import torch

from loquent.blocks.dropout import Dropout, dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_a_share_is_dropped_and_the_mean_stays(share: float, kind: torch.dtype) -> None:
    torch.manual_seed(1)
    made = dropout(torch.ones(1000, 1003, dtype=kind), share)
    kept = made != 0
    deviation = (share * (1 - share) / made.numel()) ** 0.5
    assert abs(float((~kept).double().mean()) - share) < 5 * deviation
    assert made[kept].unique().numel() == 1
    factor = float(made[kept][0])
    assert factor == pytest.approx(1 / (1 - share), rel=4e-3 if kind == torch.bfloat16 else 2e-4)


def test_neighbours_are_dropped_independently() -> None:
    """Four values share a word of random bits, and none of them may know of the others."""
    torch.manual_seed(2)
    kept = (dropout(torch.ones(4_000_000), 0.3) != 0).double().view(-1, 4)
    covariance = torch.cov(kept.t())
    assert (covariance - torch.diag(covariance.diag())).abs().max() < 5e-3 * 0.21
    assert (covariance.diag() - 0.21).abs().max() < 1e-3


def test_the_gradient_is_that_of_what_was_kept() -> None:
    x = torch.randn(7, 13, dtype=torch.float64, requires_grad=True)
    made = dropout(x, 0.4)
    made.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad * x, made)


def test_the_seed_decides() -> None:
    x = torch.randn(50, 50)
    made = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        made.append(dropout(x.t(), 0.2))  # not contiguous, too
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_nothing_is_dropped_without_learning_or_share() -> None:
    x = torch.randn(5, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_a_share_next_to_all_leaves_numbers() -> None:
    assert dropout(torch.ones(100_000), 1 - 1e-9).isfinite().all()
