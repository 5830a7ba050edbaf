"""Every mixer in every shape learns: exact gradients, no opinion at first, examples by heart."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.init import initialize
from loquent.model.model import Model

VOCABULARY, TAGS = 24, 5
BY_HEART = 400  # steps at most

KINDS = {
    "attention": {"heads": 2, "feedforward": 48},
    "attention-only": {"heads": 2},
    "rnn": {"mixer": "rnn", "positions": "none"},
    "gru": {"mixer": "gru", "positions": "none"},
    "lstm": {"mixer": "lstm", "positions": "none"},
    "conv": {"mixer": "conv", "kernel": 3, "positions": "none"},
}


def stack(**changes) -> StackConfig:
    return StackConfig(**{"layers": 2, "width": 24, "length": 16, **changes})


def shapes() -> dict[str, ModelConfig]:
    made = {}
    for name, kind in KINDS.items():
        encoder, decoder = stack(causal=False, **kind), stack(cross=True, **kind)
        made[f"{name}-decoder"] = ModelConfig(vocabulary=VOCABULARY, decoder=stack(**kind))
        made[f"{name}-encoder"] = ModelConfig(
            vocabulary=VOCABULARY, encoder=encoder, output="tags", outputs=TAGS
        )
        made[f"{name}-both"] = ModelConfig(vocabulary=VOCABULARY, encoder=encoder, decoder=decoder)
    gru, plain = KINDS["gru"], {"positions": "none", "residual": False, "norm_place": "none"}
    made["bahdanau"] = ModelConfig(
        vocabulary=VOCABULARY,
        encoder=stack(layers=1, causal=False, **gru),
        decoder=stack(layers=1, mixer="bahdanau", cross=True, positions="none"),
    )
    kim = stack(layers=1, causal=False, mixer="text_conv", kernels=(2, 3, 4), **plain)
    bags = {
        "text-conv": kim,
        "bag": stack(layers=0, causal=False),
        "ngrams": stack(layers=0, causal=False, ngrams=(2, 3), buckets=40),
    }
    made["pooler"] = ModelConfig(
        vocabulary=VOCABULARY, encoder=stack(causal=False, heads=2, feedforward=48), output="class",
        outputs=TAGS, pooling="first", head_activation="tanh", head_norm=True,
    )  # fmt: skip
    for name, encoder in bags.items():
        made[name] = ModelConfig(
            vocabulary=VOCABULARY, encoder=encoder, output="class", outputs=TAGS, pooling="max"
        )
    made["lstm-bare"] = ModelConfig(
        vocabulary=VOCABULARY, decoder=stack(mixer="lstm", final_norm=False, **plain)
    )
    return made


SHAPES = shapes()


def parts(config: ModelConfig, rows: int = 8, seed: int = 0) -> tuple[tuple, Tensor]:
    """Arguments of a pass and its targets: what follows, or a tag for each token or text."""
    generator = torch.Generator().manual_seed(seed)

    def draw(count: int, *shape: int) -> Tensor:
        return torch.randint(count, shape, generator=generator)

    ids = draw(VOCABULARY, rows, 9)
    ids[:, 0] = torch.arange(rows) % VOCABULARY if config.encoder is None else 0
    if config.output == "tags":
        return (ids,), draw(TAGS, rows, 9)
    if config.output == "class":
        return (draw(VOCABULARY, rows, 9),), draw(TAGS, rows)
    source = draw(VOCABULARY, rows, 6) if config.encoder else None
    return (ids[:, :-1], None, source), ids[:, 1:]


def loss_of(model: Model, given: tuple, targets: Tensor) -> Tensor:
    return cross_entropy(model(*given).flatten(0, -2), targets.flatten())


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_those_of_finite_differences(name: str, make) -> None:
    """Each weight moved along its own gradient, in double precision."""
    model = make(SHAPES[name])
    given, targets = parts(model.config, rows=3)
    loss_of(model.requires_grad_(True), given, targets).backward()
    step = 1e-5
    for weight_name, weight in model.named_parameters():
        gradient = weight.grad
        size = float(gradient.norm())
        assert size > 0, weight_name
        sides = []
        with torch.no_grad():
            for sign in (1, -1):
                kept = weight.clone()
                weight.add_(gradient, alpha=sign * step / size)
                sides.append(float(loss_of(model, given, targets)))
                weight.copy_(kept)
        found = (sides[0] - sides[1]) / (2 * step)
        assert found == pytest.approx(size, rel=1e-5, abs=1e-9), weight_name


@pytest.mark.parametrize("name", SHAPES)
def test_the_first_loss_is_that_of_knowing_nothing(name: str) -> None:
    model = Model(SHAPES[name])
    initialize(model, seed=1)
    given, targets = parts(model.config, rows=64)
    with torch.no_grad():
        loss = loss_of(model, given, targets)
    kinds = model.config.outputs or VOCABULARY
    assert float(loss) == pytest.approx(math.log(kinds), rel=0.04)


@pytest.mark.parametrize("name", SHAPES)
def test_eight_examples_are_learned_by_heart(name: str) -> None:
    model = Model(SHAPES[name])
    initialize(model, seed=1)
    given, targets = parts(model.config)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(BY_HEART):
        optimizer.zero_grad()
        made = model(*given)
        right = bool((made.argmax(-1) == targets).all())
        if right:
            break
        cross_entropy(made.flatten(0, -2), targets.flatten()).backward()
        optimizer.step()
    assert right


@pytest.mark.parametrize("name", ["attention-decoder", "lstm-both", "bahdanau"])
def test_layers_computed_anew_on_the_way_back_give_the_same_gradients(name: str, make) -> None:
    model = make(SHAPES[name]).requires_grad_(True)
    given, targets = parts(model.config)
    gradients = []
    for checkpointing in (False, True):
        for each in (model.encoder, model.decoder):
            if each is not None:
                each.train().checkpointing = checkpointing
        model.zero_grad()
        loss_of(model, given, targets).backward()
        gradients.append({name: each.grad for name, each in model.named_parameters()})
    for weight in gradients[0]:
        assert float((gradients[0][weight] - gradients[1][weight]).abs().max()) < 1e-12
