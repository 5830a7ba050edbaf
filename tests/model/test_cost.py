"""Costs of networks that everybody knows."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.cost import cost
from loquent.model.model import Model

GPT2 = ModelConfig(
    vocabulary=50257,
    decoder=StackConfig(
        layers=12,
        width=768,
        length=1024,
        heads=12,
        feedforward=3072,
        attention_bias=True,
        output_bias=True,
        feedforward_bias=True,
    ),
)
SMOLLM2 = ModelConfig(
    vocabulary=49152,
    decoder=StackConfig(
        layers=30,
        width=576,
        length=8192,
        heads=9,
        kv_heads=3,
        feedforward=1536,
        gated=True,
        norm="rms",
        positions="rotary",
    ),
)


@pytest.mark.parametrize(("config", "parameters"), [(GPT2, 124_439_808), (SMOLLM2, 134_515_008)])
def test_parameters(config: ModelConfig, parameters: int) -> None:
    found = cost(config, weight_bits=16)
    assert found.parameters == parameters
    assert found.weight_bytes == 2 * parameters


def test_memory_and_work_of_a_token() -> None:
    assert cost(GPT2, memory_bits=16).memory_bytes == 2 * 12 * 768 * 2
    assert cost(SMOLLM2, memory_bits=16).memory_bytes == 2 * 30 * 192 * 2
    matrices = 12 * (4 * 768 * 768 + 2 * 768 * 3072) + 50257 * 768
    assert cost(GPT2).flops == 2 * matrices
    assert cost(GPT2, context=512).flops == 2 * matrices + 4 * 512 * 768 * 12


@pytest.mark.parametrize("config", [GPT2, SMOLLM2], ids=["gpt2", "smollm2"])
def test_work_is_what_torch_counts(config: ModelConfig) -> None:
    """Every product of one pass over T tokens, of which torch counts all T x T scores."""
    length, small = 24, replace(config.decoder, layers=3, length=64)
    config = replace(config, vocabulary=100, decoder=small)
    with torch.device("meta"):
        model = Model(config)
        ids = torch.zeros(1, length, dtype=torch.long)
        counter = FlopCounterMode(display=False)
        with counter, sdpa_kernel(SDPBackend.MATH):
            model(ids)
    assert counter.get_total_flops() == length * cost(config, context=length).flops
