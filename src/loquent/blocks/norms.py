"""Normalization of each token's vector."""

from torch import nn

from loquent.architecture import StackConfig

Norm = nn.LayerNorm | nn.RMSNorm


def norm(config: StackConfig) -> Norm:
    """LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019), (…, D) -> (…, D)."""
    if config.norm == "rms":
        return nn.RMSNorm(config.width, eps=config.norm_epsilon)
    return nn.LayerNorm(config.width, eps=config.norm_epsilon, bias=config.norm_bias)
