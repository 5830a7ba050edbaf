"""The two ways to compute attention are the same, and each is taken where it should be."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from loquent.blocks import products
from loquent.blocks.products import attend, written_out

B, H, T, S, W = 3, 4, 37, 41, 8


def drawn(kind: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(0)
    sizes = (T, S, S)
    return [torch.randn(B, H, size, W, dtype=kind).requires_grad_() for size in sizes]


def masks() -> dict[str, Tensor | None]:
    torch.manual_seed(1)
    allowed = torch.rand(B, 1, T, S) < 0.6
    allowed[..., 0] = True
    added = torch.randn(B, H, T, S, dtype=torch.float64)
    return {
        "none": None,
        "allowed": allowed,
        "padding": torch.arange(S).expand(B, 1, 1, S) < 30,
        "added": added,
        "added and not allowed": added.masked_fill(~allowed, -torch.inf),
    }


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("name", [*masks()])
def test_written_out_is_torchs(name: str, scale: float | None) -> None:
    given, mask = drawn(), masks()[name]
    theirs = scaled_dot_product_attention(*given, attn_mask=mask, scale=scale)
    ours = written_out(*given, mask, scale)
    assert (ours - theirs).abs().max() < 1e-12
    way_back = torch.randn_like(theirs)
    expected = torch.autograd.grad(theirs, given, way_back)
    for made, wanted in zip(torch.autograd.grad(ours, given, way_back), expected, strict=True):
        assert (made - wanted).abs().max() < 1e-12


@pytest.mark.parametrize("causal", [False, True])
def test_learning_in_bfloat16_is_near_to_exact(
    causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*given: Tensor | None) -> Tensor:
        calls.append(1)
        return written_out(*given)

    monkeypatch.setattr(products, "written_out", counted)
    exact = [each[:, :, :T].detach() for each in drawn()]
    small = [each.to(torch.bfloat16).requires_grad_() for each in exact]
    made = attend(*small, None, causal=causal, scale=None)
    wanted = attend(*exact, None, causal=causal, scale=None)
    assert len(calls) == 1  # only where something is learned in bfloat16
    assert (made.double() - wanted).abs().max() < 0.05
    if causal:
        assert (made[:, :, 0].double() - exact[2][:, :, 0]).abs().max() < 0.05


def test_a_query_that_may_look_nowhere_is_finite() -> None:
    given = drawn(torch.bfloat16)
    nowhere = torch.zeros(B, 1, T, S, dtype=torch.bool)
    made = written_out(*given, nowhere, None)
    made.sum().backward()
    assert made.isfinite().all()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in given)
