"""The products of attention (Vaswani et al. 2017, §3.2.1), by whichever way is faster."""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

# So many keys at most are looked at with all weights of attention written out, where bfloat16 is
# learned on a CPU: with few keys torch's fused kernel takes four times as long on the way back.
_FEW_KEYS = 128


def attend(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    *,
    causal: bool,
    scale: float | None,
) -> Tensor:
    """Queries (B, H, T, W) over keys and values (B, H', S, W) -> (B, H, T, W).

    `mask` says where a query may look, or is added to the scores; without one `causal` says that it
    sees only the keys up to its own place. `scale` of None is 1/√W.
    """
    grouped = query.shape[1] != keys.shape[1]
    learns = torch.is_grad_enabled() and query.requires_grad
    small = query.dtype == torch.bfloat16 and query.device.type == "cpu"
    if learns and small and keys.shape[2] <= _FEW_KEYS and not grouped:
        if causal and mask is None:
            seen = torch.ones(query.shape[2], keys.shape[2], dtype=torch.bool)
            mask = seen.tril()
        return written_out(query, keys, values, mask, scale)
    return scaled_dot_product_attention(
        query,
        keys,
        values,
        attn_mask=mask,
        is_causal=causal and mask is None,
        scale=scale,
        enable_gqa=grouped,
    )


def written_out(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, scale: float | None
) -> Tensor:
    """The same as the formula has it; a query that may look nowhere looks everywhere alike."""
    scores = (query * (scale or query.shape[-1] ** -0.5)) @ keys.transpose(-1, -2)
    if mask is not None and mask.dtype == torch.bool:
        scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask
    return scores.softmax(-1).to(values.dtype) @ values
