"""Networks that read a sound: convolutions over its features in place of an embedding."""

from dataclasses import replace
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

from loquent.architecture import FrontConfig, ModelConfig, StackConfig
from loquent.blocks.speech import Front
from loquent.errors import ConfigError
from loquent.model.cost import cost
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.model.names import shapes

FRONT = FrontConfig(features=10)


def stack(**changes: Any) -> StackConfig:
    values = {"layers": 2, "width": 24, "length": 60, "heads": 4, "feedforward": 40, **changes}
    return StackConfig(**values)


HEARING = stack(causal=False, front=FRONT)
CONFIGS = {
    "whisper": ModelConfig(vocabulary=37, shared=False, encoder=HEARING, decoder=stack(cross=True)),
    "ctc": ModelConfig(vocabulary=37, tied=False, output="ctc", encoder=HEARING),
    "ctc-lstm": ModelConfig(
        vocabulary=37,
        tied=False,
        output="ctc",
        encoder=stack(
            mixer="lstm",
            causal=False,
            positions="none",
            front=replace(FRONT, kernels=(5, 3, 3), strides=(2, 1, 2), activation="relu"),
        ),
    ),
    "samples": ModelConfig(
        vocabulary=37,
        tied=False,
        output="ctc",
        blank=3,
        encoder=stack(
            causal=False,
            length=0,
            positions="convolution",
            position_kernel=6,
            position_groups=4,
            front=FrontConfig(
                features=10,
                kernels=(1, 1),
                strides=(2, 1),
                padded=False,
                norms="first",
                width=16,
                projected=True,
                projection_norm=True,
            ),
        ),
    ),
    "command": ModelConfig(
        vocabulary=1,
        output="class",
        outputs=5,
        encoder=replace(HEARING, positions="sinusoidal"),
    ),
}


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest) -> Model:
    made = Model(CONFIGS[request.param]).double()
    initialize(made, 1)
    with torch.no_grad():
        for number, each in enumerate(made.parameters()):
            each.add_(
                torch.randn(each.shape, generator=torch.Generator().manual_seed(number)), alpha=0.1
            )
    return made.requires_grad_(False).eval()


def sounds(rows: int, frames: int) -> Tensor:
    generator = torch.Generator().manual_seed(rows)
    return torch.randn(rows, 10, frames, generator=generator, dtype=torch.float64)


def told(model: Model, sound: Tensor, lengths: Tensor | None = None) -> Tensor:
    made: Tensor
    if model.config.decoder is None:
        made = model(sound, lengths)
    else:
        ids = torch.randint(37, (1, 9), generator=torch.Generator().manual_seed(5))
        made = model(ids.expand(len(sound), -1), None, sound, lengths)
    return made


def test_the_front_is_convolutions_with_activations() -> None:
    front, sound = Front(FRONT, HEARING).double(), sounds(2, 31)
    made, lengths = front(sound)
    first, second = (front.get_submodule(each) for each in "01")
    by_hand = gelu(second(gelu(first(sound)))).transpose(1, 2)
    assert torch.equal(made, by_hand)
    assert lengths is None
    assert made.shape == (2, FRONT.states(31), 24)
    assert FRONT.stride == 2


def test_parameters_have_the_names_of_the_architecture(model: Model) -> None:
    wanted = shapes(model.config)
    assert {name: tuple(each.shape) for name, each in model.state_dict().items()} == wanted
    counted = cost(model.config, source=20, context=20)
    assert counted.parameters == sum(map(prod, wanted.values()))
    both = model.config.decoder is not None
    assert (counted.source_flops if both else counted.flops) > 2 * 24 * 30 * 2 + 2 * 24 * 24 * 3


def test_alone_as_beside_longer_ones(model: Model) -> None:
    sound, lengths = sounds(4, 90), torch.tensor([90, 31, 1, 64])
    for row, length in enumerate(lengths.tolist()):
        sound[row, :, length:] = 7.0  # padding may hold anything
    whole = told(model, sound, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = told(model, sound[row : row + 1, :, :length])[0]
        part = whole[row, : len(alone)] if model.config.output == "ctc" else whole[row]
        assert float((alone - part).abs().max()) < 1e-12


def test_lengths_of_states(model: Model) -> None:
    encoder = model.encoder
    assert encoder is not None
    lengths = torch.tensor([1, 2, 3, 50, 51])
    states = encoder.state_lengths(lengths)
    assert states is not None
    front = encoder.config.front
    assert front is not None
    assert states.tolist() == [front.states(each) for each in lengths.tolist()]
    assert all(len(encoder(sounds(1, each))[0]) == front.states(each) for each in (1, 2, 3, 50))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (lambda: FrontConfig(features=0), "features"),
        (lambda: FrontConfig(features=8, kernels=(3, 4)), "odd"),
        (lambda: FrontConfig(features=8, strides=(1,)), "stride"),
        (lambda: stack(front=FRONT, segments=2), "segments"),
        (lambda: FrontConfig(features=8, width=4), "need projected"),
        (lambda: FrontConfig(features=8, kernels=(1,) * 17, strides=(1,) * 17), "1 to 16"),
        (lambda: stack(positions="convolution", position_kernel=3, causal=False), "need a front"),
        (lambda: replace(HEARING, positions="convolution"), "a position_kernel"),
        (lambda: replace(HEARING, position_groups=5), "5 groups"),
        (lambda: replace(CONFIGS["ctc"], blank=37), "blank 37"),
        (lambda: replace(CONFIGS["whisper"], blank=1), "blank 1"),
        (lambda: ModelConfig(vocabulary=9, decoder=stack(front=FRONT)), "only an encoder"),
        (lambda: replace(CONFIGS["whisper"], shared=True), "shared"),
        (lambda: replace(CONFIGS["ctc"], tied=True), "tied"),
        (lambda: replace(CONFIGS["ctc"], source_vocabulary=4), "source_vocabulary"),
    ],
)
def test_impossible_fronts_are_refused(config: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config()
