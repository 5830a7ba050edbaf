"""Cross entropy of a head's logits, chunk by chunk: all logits are never there at once."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

# Logits of one chunk: enough for products to be quick and for the sum over chunks of the weight's
# gradient, which is read and written once for each.
_CHUNK_VALUES = 2**26
# Of so many at a time a CPU makes the gradient: they stay in its second cache.
_BLOCK_VALUES = 2**18


def cross_entropy(
    states: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    smoothing: float = 0.0,
) -> Tensor:
    """The sum (float64) of -log p(target) over states (N, D) and targets (N,) of a head (V, D).

    With label smoothing ε (Szegedy et al. 2016, §7), a share ε of each target is spread evenly
    over the vocabulary. The gradient is computed along with the loss, so that neither logits nor
    probabilities (N, V) are kept for the way back; it can be asked for once.
    """
    out: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        states, weight, bias, targets, smoothing
    )
    return out


def token_scores(
    states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """-log p(target) and whether the target is the likeliest token, (N,) each, without gradient."""
    losses = torch.empty(len(states), dtype=torch.float64, device=states.device)
    hits = torch.empty(len(states), dtype=torch.bool, device=states.device)
    with torch.no_grad():
        for part in _parts(len(states), len(weight)):
            wanted = targets[part, None]
            logits = _wide(linear(states[part], weight, bias))
            losses[part] = -torch.log_softmax(logits, -1).gather(1, wanted)[:, 0].double()
            hits[part] = logits.argmax(-1) == wanted[:, 0]
    return losses, hits


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd passes them by place
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
    ) -> Tensor:
        kind = _product_type(states)
        matrix, offset = weight.to(kind), None if bias is None else bias.to(kind)
        learned = ctx.needs_input_grad[:3]
        total = torch.zeros((), dtype=torch.float64, device=states.device)
        to_states = torch.empty_like(states) if learned[0] else None
        to_weight = torch.empty_like(weight) if learned[1] else None
        to_bias = torch.zeros_like(bias) if learned[2] and bias is not None else None
        with torch.autocast(states.device.type, enabled=False):
            for part in _parts(len(states), len(weight)):
                x = states[part].to(kind)
                gradient = linear(x, matrix, offset)  # at first the logits
                total += _to_gradient(gradient, targets[part], smoothing)
                if not any(learned):
                    continue
                if to_bias is not None:
                    to_bias += gradient.sum(0, dtype=to_bias.dtype)
                if to_states is not None:
                    to_states[part] = gradient @ matrix
                if to_weight is not None:
                    _add_product(to_weight, gradient.t(), x, first=part.start == 0)
        if to_weight is not None and not len(states):
            to_weight.zero_()
        ctx.gradients = (to_states, to_weight, to_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            raise RuntimeError("the gradient of cross_entropy can be asked for once")
        made = [None if each is None else each.mul_(scale) for each in gradients]
        return (*made, None, None)


def _to_gradient(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The sum of losses (float64) of logits (N, V), which are their gradient from then on.

    That is p less the wanted share; a block of rows at a time goes through all of it.
    """
    count, vocabulary = logits.shape
    rows = max(_BLOCK_VALUES // vocabulary, 1) if logits.device.type == "cpu" else max(count, 1)
    total = torch.zeros((), dtype=torch.float64, device=logits.device)
    for start in range(0, count, rows):
        block, aims = logits[start : start + rows], targets[start : start + rows, None]
        values = _wide(block)
        values -= values.amax(-1, keepdim=True)
        aimed = values.gather(1, aims).sum(dtype=torch.float64) * (1 - smoothing)
        if smoothing:
            aimed += values.sum(dtype=torch.float64) * (smoothing / vocabulary)
        sums = values.exp_().sum(-1, keepdim=True)
        total += sums.log().sum(dtype=torch.float64) - aimed
        values /= sums
        if smoothing:
            values -= smoothing / vocabulary
        values.scatter_add_(1, aims, torch.full_like(sums, smoothing - 1))
        if values is not block:
            block.copy_(values)
    return total


def _add_product(total: Tensor, left: Tensor, right: Tensor, *, first: bool) -> None:
    if total.dtype != left.dtype:  # bfloat16 products are added up in float32
        product = left @ right
        total.copy_(product) if first else total.add_(product)
    elif first:
        torch.mm(left, right, out=total)
    else:
        total.addmm_(left, right)


def _parts(count: int, vocabulary: int) -> Iterator[slice]:
    """Chunks of nearly equal size."""
    chunks = max(-(-count * vocabulary // _CHUNK_VALUES), 1)
    rows = max(-(-count // chunks), 1)
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def _product_type(states: Tensor) -> torch.dtype:
    kind = states.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype


def _wide(logits: Tensor) -> Tensor:
    """Logits in which a sum over the vocabulary is exact enough."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
