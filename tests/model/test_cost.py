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


def tiny(config: ModelConfig) -> ModelConfig:
    """The same build, smaller; every size is another, so that none stands in for the next."""
    assert config.decoder is not None
    return replace(config, vocabulary=100, decoder=replace(config.decoder, layers=3, length=64))


INNER = {"layers": 2, "length": 64, "feedforward": 70}
BUILDS = {
    "gpt2": tiny(GPT2),
    "smollm2": tiny(SMOLLM2),
    "encoder": ModelConfig(
        vocabulary=100, encoder=StackConfig(width=48, heads=4, causal=False, **INNER)
    ),
    "both": ModelConfig(
        vocabulary=100,
        shared=False,
        encoder=StackConfig(width=40, heads=5, causal=False, **INNER),
        decoder=StackConfig(width=48, heads=4, kv_heads=2, cross=True, memory_width=40, **INNER),
    ),
    **{
        mixer: ModelConfig(
            vocabulary=100,
            shared=False,
            encoder=StackConfig(width=40, causal=False, mixer=mixer, kernel=5, **INNER),
            decoder=StackConfig(
                width=48, heads=4, cross=True, memory_width=40, mixer=mixer, kernel=5, **INNER
            ),
        )
        for mixer in ("rnn", "gru", "lstm", "conv")
    },
    "text_conv": ModelConfig(
        vocabulary=100,
        output="masked",
        encoder=StackConfig(width=48, causal=False, mixer="text_conv", kernels=(2, 3, 4), **INNER),
    ),
}


@pytest.mark.parametrize("config", BUILDS.values(), ids=BUILDS)
def test_work_is_what_torch_counts(config: ModelConfig) -> None:
    """Every product of one pass over T tokens, of which torch counts all T x T scores."""
    length, seen = 24, 17
    both = config.encoder is not None and config.decoder is not None
    with torch.device("meta"):
        model = Model(config)
        ids, source = (torch.zeros(1, count, dtype=torch.long) for count in (length, seen))
        counter = FlopCounterMode(display=False)
        with counter, sdpa_kernel(SDPBackend.MATH):
            model(ids, None, source if both else None)
    found = cost(config, context=length, source=seen)
    assert counter.get_total_flops() == length * found.flops + seen * found.source_flops
    assert (found.source_flops > 0) == both


def test_memory_of_a_token_is_what_its_states_hold() -> None:
    """Counted in a memory that reads 5 tokens and a source of 7."""
    for name in ("gpt2", "smollm2", "encoder", "both"):
        config = BUILDS[name]
        found = cost(config, source=7)
        if config.decoder is None:
            assert found.memory_bytes == found.source_memory_bytes == 0
            continue
        model = Model(config)
        states = model.new_states()
        if config.encoder is not None:
            model.attach(states, 0, torch.zeros(7, dtype=torch.long))
            held = sum(4 * (each.cross.keys.numel() + each.cross.values.numel()) for each in states)
            assert held == 7 * found.source_memory_bytes, name
        for each in states:
            each.mixer.grow(1, 5)
        held = sum(4 * (each.mixer.keys.numel() + each.mixer.values.numel()) for each in states)
        assert held == 5 * found.memory_bytes, name


def test_memory_of_a_row_is_what_its_states_hold() -> None:
    for mixer in ("rnn", "gru", "lstm", "conv"):
        config = BUILDS[mixer]
        states = Model(config).new_states()
        for each in states:
            each.mixer.grow(1, 5)
        held = sum(4 * each.mixer.values.numel() for each in states)
        assert held == cost(config).row_memory_bytes, mixer
        assert cost(config).memory_bytes == 0


BAHDANAU = ModelConfig(
    vocabulary=100,
    shared=False,
    encoder=StackConfig(width=40, causal=False, mixer="gru", **INNER),
    decoder=StackConfig(width=48, cross=True, memory_width=40, mixer="bahdanau", **INNER),
)


def test_the_work_of_additive_attention() -> None:
    """Torch counts its products; what a source's first state needs comes once a text."""
    length, seen = 24, 17
    with torch.device("meta"):
        model = Model(BAHDANAU)
        ids, source = (torch.zeros(1, count, dtype=torch.long) for count in (length, seen))
        counter = FlopCounterMode(display=False)
        with counter:
            model(ids, None, source)
    found = cost(BAHDANAU, context=length, source=seen)
    once = 2 * BAHDANAU.decoder.layers * 48 * 40
    assert counter.get_total_flops() == length * found.flops + seen * found.source_flops + once
    model = Model(BAHDANAU)
    states = model.new_states()
    model.attach(states, 0, torch.zeros(7, dtype=torch.long))
    memories = [each.mixer.memory for each in states]
    held = sum(4 * (each.keys.numel() + each.values.numel()) for each in memories)
    assert held == 7 * found.source_memory_bytes
    rows = sum(4 * each.mixer.hidden.values.numel() for each in states)
    rows += sum(4 * each.mixer.start.values.numel() for each in states)
    assert rows == found.row_memory_bytes
