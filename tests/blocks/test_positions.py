"""Positions equal their formulas and have the properties that they are used for."""

import math
from itertools import pairwise

import pytest
import torch
from transformers.models.t5.modeling_t5 import T5Attention

from loquent.architecture import RotaryConfig, rotary_frequencies
from loquent.blocks.positions import RelativePositions, rotate, rotation, sinusoidal

SCALINGS = [
    RotaryConfig(),
    RotaryConfig(base=500_000.0, scaling="llama3", factor=8.0, original_length=512),
    RotaryConfig(scaling="linear", factor=3.0),
    RotaryConfig(scaling="yarn", factor=4.0, original_length=256),
]


def test_sinusoids_are_those_of_the_paper() -> None:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(pos / 10000^(2i/d))."""
    width = 10
    made = sinusoidal(torch.arange(200)[None], width, torch.float64)[0]
    for position in (0, 1, 7, 150, 199):
        for pair in range(width // 2):
            angle = position / 10000 ** (2 * pair / width)
            assert made[position, 2 * pair] == pytest.approx(math.sin(angle), abs=1e-12)
            assert made[position, 2 * pair + 1] == pytest.approx(math.cos(angle), abs=1e-12)


def test_a_shift_turns_each_pair_of_sinusoids() -> None:
    """For any offset k, PE(pos + k) is a linear function of PE(pos), the same one (§3.5)."""
    width = 8
    made = sinusoidal(torch.arange(150)[None], width, torch.float64)[0]
    for offset in (1, 13, 100):
        turn = torch.zeros(width, width, dtype=torch.float64)
        for pair in range(width // 2):
            angle = offset / 10000 ** (2 * pair / width)
            cosine, sine = math.cos(angle), math.sin(angle)
            here = slice(2 * pair, 2 * pair + 2)
            turn[here, here] = turn.new_tensor([[cosine, sine], [-sine, cosine]])
        before, after = made[:-offset], made[offset:]
        assert float((before @ turn.T - after).abs().max()) < 1e-12


def test_wavelengths_go_from_2_pi_to_10000_times_2_pi() -> None:
    """They are measured in the table itself, and form a geometric progression (§3.5)."""
    width = 512
    made = sinusoidal(torch.arange(2)[None], width, torch.float64)[0, 1]
    angles = torch.atan2(made[0::2], made[1::2])  # of one step
    wavelengths = (2 * math.pi / angles).tolist()
    assert wavelengths[0] == pytest.approx(2 * math.pi, rel=1e-12)
    ratio = 10000 ** (2 / width)
    assert all(b / a == pytest.approx(ratio, rel=1e-9) for a, b in pairwise(wavelengths))
    assert wavelengths[-1] * ratio == pytest.approx(10000 * 2 * math.pi, rel=1e-9)


def test_odd_widths_end_with_a_sine() -> None:
    made = sinusoidal(torch.tensor([[3]]), 5, torch.float64)[0, 0]
    assert made[4] == pytest.approx(math.sin(3 / 10000 ** (4 / 5)), abs=1e-12)


@pytest.mark.parametrize("rotary", SCALINGS, ids=lambda each: each.scaling)
def test_rotated_products_depend_on_the_distance_only(rotary: RotaryConfig) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 16, generator=generator, dtype=torch.float64)

    def product(at: int, seen: int) -> float:
        turned = [
            rotate(x, rotation(torch.tensor([[place]]), rotary, 16, torch.float64))
            for x, place in ((query, at), (key, seen))
        ]
        return float((turned[0] * turned[1]).sum())

    assert product(9, 4) == pytest.approx(product(509, 504), abs=1e-10)
    assert product(9, 4) != pytest.approx(product(9, 5), abs=1e-3)


@pytest.mark.parametrize("rotary", SCALINGS, ids=lambda each: each.scaling)
def test_frequencies_are_those_of_transformers(rotary: RotaryConfig) -> None:
    from transformers import LlamaConfig  # noqa: PLC0415
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS  # noqa: PLC0415

    if rotary.scaling == "none":
        wanted = [rotary.base ** (-2 * pair / 64) for pair in range(32)]
        assert rotary_frequencies(rotary, 64) == pytest.approx(wanted, rel=1e-12)
        return
    parameters = {
        "rope_type": rotary.scaling,
        "rope_theta": rotary.base,
        "factor": rotary.factor,
        "original_max_position_embeddings": rotary.original_length,
        "low_freq_factor": rotary.low_factor,
        "high_freq_factor": rotary.high_factor,
    }
    config = LlamaConfig(hidden_size=64, num_attention_heads=1, rope_parameters=parameters)
    wanted, _ = ROPE_INIT_FUNCTIONS[rotary.scaling](config, "cpu")
    assert rotary_frequencies(rotary, 64) == pytest.approx(wanted.tolist(), rel=1e-5)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("buckets", "distance"), [(32, 128), (8, 20), (16, 300)])
def test_buckets_are_those_of_t5(causal: bool, buckets: int, distance: int) -> None:
    ours = RelativePositions(buckets, distance, 2, causal)
    offset = torch.arange(-400, 400)
    wanted = T5Attention._relative_position_bucket(
        offset, bidirectional=not causal, num_buckets=buckets, max_distance=distance
    )
    assert torch.equal(ours.bucket(offset), wanted)
