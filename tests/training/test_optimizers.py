"""Every optimizer does what its paper's formula, written out in numpy, does."""

import numpy as np
import pytest
import torch
from torch import nn

from loquent.errors import CheckpointError
from loquent.training.optimizers import Optimizers, orthogonal
from loquent.training.settings import TrainingConfig

SHAPES = {
    "decoder.embedding.weight": (7, 4),
    "decoder.layers.0.attention.query.weight": (6, 4),
    "decoder.layers.0.feedforward.down.weight": (4, 9),
    "decoder.layers.0.mixer.convolution.weight": (6, 3, 2),
    "decoder.layers.0.attention_norm.weight": (4,),
    "decoder.norm.bias": (4,),
}
RATES = (0.1, 0.05, 0.02, 0.04)
DECAY = 0.3


@pytest.fixture
def parameters() -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
        for name, shape in SHAPES.items()
    }


def gradients(step: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(step)
    return {name: generator.normal(size=shape) for name, shape in SHAPES.items()}


def run(parameters, optimizers, steps=(0, 1, 2, 3)) -> None:
    for step in steps:
        for name, gradient in gradients(step).items():
            parameters[name].grad = torch.from_numpy(gradient.copy())
        optimizers.step(RATES[step])


def config(name: str, **settings) -> TrainingConfig:
    return TrainingConfig(optimizer=name, weight_decay=DECAY, steps=1, **settings)


def decay(weight: np.ndarray) -> float:
    return DECAY if weight.ndim >= 2 else 0.0


def adamw(weight, state, gradient, rate, step):
    """Loshchilov and Hutter 2019, algorithm 2."""
    one, two = 0.9, 0.95
    state["m"] = one * state.get("m", 0) + (1 - one) * gradient
    state["v"] = two * state.get("v", 0) + (1 - two) * gradient**2
    mean = state["m"] / (1 - one**step)
    root = np.sqrt(state["v"] / (1 - two**step))
    return weight - rate * (mean / (root + 1e-8) + decay(weight) * weight)


def muon(weight, state, gradient, rate, step):
    """Jordan et al. 2024, with the scale of Liu et al. 2025."""
    state["m"] = 0.95 * state.get("m", 0) + gradient
    update = (gradient + 0.95 * state["m"]).reshape(len(weight), -1)
    x = update / (np.linalg.norm(update) + 1e-7)
    for _ in range(5):  # the same for a wide and for a tall matrix, up to rounding
        square = x @ x.T
        x = 3.4445 * x - 4.7750 * square @ x + 2.0315 * square @ square @ x
    scale = 0.2 * np.sqrt(max(update.shape))
    return weight * (1 - rate * DECAY) - rate * scale * x.reshape(weight.shape)


def adafactor(weight, state, gradient, rate, step):
    """Shazeer and Stern 2018, algorithms 4 and 5, with sums of rows and columns as they have it."""
    old = 1 - step**-0.8
    square = gradient**2 + 1e-30
    if weight.ndim < 2:
        state["v"] = old * state.get("v", 0) + (1 - old) * square
        estimate = state["v"]
    else:
        state["r"] = old * state.get("r", 0) + (1 - old) * square.sum(-1, keepdims=True)
        state["c"] = old * state.get("c", 0) + (1 - old) * square.sum(-2, keepdims=True)
        estimate = state["r"] * state["c"] / state["r"].sum(-2, keepdims=True)
    update = gradient / np.sqrt(estimate)
    update = update / max(1.0, np.sqrt((update**2).mean()))
    return weight - rate * update - rate * decay(weight) * weight


def sgd(weight, state, gradient, rate, step):
    """Momentum as torch has it: the decay is part of the gradient."""
    gradient = gradient + decay(weight) * weight
    state["m"] = gradient if step == 1 else 0.95 * state["m"] + gradient
    return weight - rate * state["m"]


def muon_or_adamw(weight, state, gradient, rate, step):
    inner = weight.ndim >= 2 and weight.shape != SHAPES["decoder.embedding.weight"]
    return (muon if inner else adamw)(weight, state, gradient, rate, step)


FORMULAS = {"adamw": adamw, "muon": muon_or_adamw, "adafactor": adafactor, "sgd": sgd}


@pytest.mark.parametrize("name", FORMULAS)
def test_each_is_its_formula(name, parameters):
    weights = {key: each.detach().numpy().copy() for key, each in parameters.items()}
    states = {key: {} for key in weights}
    run(parameters, Optimizers(parameters, config(name)))
    for step, rate in enumerate(RATES):
        for key, gradient in gradients(step).items():
            args = (weights[key], states[key], gradient, rate, step + 1)
            weights[key] = FORMULAS[name](*args)
    for key, weight in weights.items():
        np.testing.assert_allclose(
            parameters[key].detach().numpy(), weight, atol=1e-11, err_msg=key
        )


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_restored_goes_on_bit_by_bit(name, parameters):
    first = Optimizers(parameters, config(name))
    run(parameters, first, range(2))
    kept = {key: each.clone() for key, each in first.state().items()}
    others = {key: nn.Parameter(each.detach().clone()) for key, each in parameters.items()}
    run(parameters, first, range(2, 4))
    second = Optimizers(others, config(name))
    second.restore(kept)
    run(others, second, range(2, 4))
    assert all(torch.equal(parameters[key], others[key]) for key in parameters)
    assert set(kept) == set(second.state())


def test_adamw_is_that_of_torch(parameters):
    others = {key: nn.Parameter(each.detach().clone()) for key, each in parameters.items()}
    run(parameters, Optimizers(parameters, config("adamw")))
    torchs = torch.optim.AdamW(
        [
            {"params": [each for each in others.values() if each.ndim > 1], "weight_decay": DECAY},
            {"params": [each for each in others.values() if each.ndim == 1], "weight_decay": 0},
        ],
        betas=(0.9, 0.95),
        fused=False,
        foreach=False,
    )
    for step, rate in enumerate(RATES):
        for key, gradient in gradients(step).items():
            others[key].grad = torch.from_numpy(gradient)
        for group in torchs.param_groups:
            group["lr"] = rate
        torchs.step()
    for key, each in others.items():
        torch.testing.assert_close(parameters[key], each, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16)])
def test_orthogonal_brings_singular_values_near_to_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_a_weight_without_a_gradient_stays(parameters):
    for name in FORMULAS:
        before = {key: each.detach().clone() for key, each in parameters.items()}
        Optimizers(parameters, config(name)).step(0.1)
        assert all(torch.equal(parameters[key], before[key]) for key in parameters), name


def test_state_of_an_unknown_weight_is_refused(parameters):
    wrong = {"decoder.layers.0.attention.quary.weight.exp_avg": torch.zeros(6, 4)}
    with pytest.raises(CheckpointError, match="query"):
        Optimizers(parameters, config("adamw")).restore(wrong)
