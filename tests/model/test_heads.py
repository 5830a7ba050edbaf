"""What is made of the last states, by its formula."""

import math

import pytest
import torch
from torch import nn

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.heads import pool
from loquent.model.init import initialize
from loquent.model.model import Model

EXACT = 1e-12
STACK = StackConfig(layers=1, width=12, length=20, heads=2, causal=False)
DECODER = StackConfig(layers=1, width=12, length=20, heads=2)
LENGTHS = torch.tensor([7, 1, 4])


def made(output: str, **changes) -> Model:
    config = ModelConfig(vocabulary=30, output=output, **{"encoder": STACK, **changes})
    model = Model(config).double().eval()
    initialize(model, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model.requires_grad_(False)


def draw() -> torch.Tensor:
    return torch.randint(30, (3, 7), generator=torch.Generator().manual_seed(2))


def test_pooling() -> None:
    x = torch.randn(3, 7, 5, dtype=torch.float64)
    for row, length in enumerate(LENGTHS.tolist()):
        real = x[row, :length]
        wanted = {"first": real[0], "last": real[-1], "mean": real.mean(0), "max": real.amax(0)}
        for how, value in wanted.items():
            assert float((pool(x, LENGTHS, how)[row] - value).abs().max()) < EXACT
            alone = pool(real[None], None, how)[0]
            assert float((alone - value).abs().max()) < EXACT


@pytest.mark.parametrize("how", ["first", "last", "mean", "max"])
@pytest.mark.parametrize("output", ["class", "labels"])
def test_one_value_for_each_class_of_a_text(output: str, how: str) -> None:
    model = made(output, outputs=4, pooling=how, logit_scale=0.7)
    ids = draw()
    states = pool(model.hidden(ids, LENGTHS), LENGTHS, how)
    wanted = states * 0.7 @ model.head.weight.T + model.head.bias
    found = model(ids, LENGTHS)
    assert found.shape == (3, 4)
    assert float((found - wanted).abs().max()) < EXACT
    ids[1, 1:] = 3  # padding
    assert torch.equal(model(ids, LENGTHS), found)


@pytest.mark.parametrize(
    ("output", "how"), [("class", "first"), ("labels", "mean"), ("embedding", "first")]
)
def test_a_map_and_a_norm_before_the_head_work_on_the_pooled_state(output: str, how: str) -> None:
    outputs = 0 if output == "embedding" else 4
    model = made(output, outputs=outputs, pooling=how, head_activation="tanh", head_norm=True)
    ids, head = draw(), model.head
    states = pool(model.hidden(ids, LENGTHS), LENGTHS, how)
    states = torch.tanh(states @ head.hidden.weight.T + head.hidden.bias)
    states = states - states.mean(-1, keepdim=True)
    states = states / (states.pow(2).mean(-1, keepdim=True) + STACK.norm_epsilon).sqrt()
    states = states * head.hidden_norm.weight + head.hidden_norm.bias
    if outputs:
        wanted = states @ head.weight.T + head.bias
    else:
        wanted = states / states.norm(dim=-1, keepdim=True)
    assert float((model(ids, LENGTHS) - wanted).abs().max()) < EXACT


@pytest.mark.parametrize(
    ("output", "count"), [("tags", 4), ("span", 2), ("ctc", 30), ("masked", 30)]
)
def test_values_for_each_token(output: str, count: int) -> None:
    model = made(output, outputs=4 if output == "tags" else 0)
    ids = draw()
    found = model(ids, LENGTHS)
    assert found.shape == (3, 7, count)
    words = output in ("ctc", "masked")
    matrix = model.encoder.table.weight if words else model.head.weight
    wanted = model.hidden(ids, LENGTHS) @ matrix.T
    wanted = wanted if words else wanted + model.head.bias
    assert float((found - wanted).abs().max()) < EXACT


def test_an_output_sits_on_the_decoder_where_there_is_one() -> None:
    model = made("class", outputs=3, decoder=StackConfig(**vars(DECODER) | {"cross": True}))
    ids = draw()
    found = model(ids, LENGTHS, ids)
    states = pool(model.hidden(ids, LENGTHS, ids), LENGTHS, "mean")
    assert float((found - model.logits(states)).abs().max()) < EXACT
    alone = made("labels", outputs=3, encoder=None, decoder=DECODER, pooling="last")
    assert alone(ids).shape == (3, 3)


def test_embeddings_have_unit_length() -> None:
    ids = draw()
    for outputs, width in ((0, 12), (5, 5)):
        model = made("embedding", outputs=outputs)
        found = model(ids, LENGTHS)
        assert found.shape == (3, width)
        assert float((found.norm(dim=-1) - 1).abs().max()) < EXACT
        states = pool(model.hidden(ids, LENGTHS), LENGTHS, "mean")
        states = states @ model.head.weight.T if outputs else states
        similar = nn.functional.cosine_similarity(found, states)
        assert float((similar - 1).abs().max()) < EXACT


@pytest.mark.parametrize(
    ("output", "kinds", "loss"),
    [
        ("masked", 30, nn.functional.cross_entropy),
        ("ctc", 30, nn.functional.cross_entropy),
        ("tags", 6, nn.functional.cross_entropy),
        ("class", 6, nn.functional.cross_entropy),
        ("labels", 6, None),
        ("span", 7, None),
    ],
)
def test_the_first_loss_is_that_of_knowing_nothing(output, kinds, loss) -> None:
    outputs = kinds if output in ("tags", "class", "labels") else 0
    model = Model(ModelConfig(vocabulary=30, output=output, outputs=outputs, encoder=STACK))
    initialize(model, seed=1)
    with torch.no_grad():
        values = model(draw())
    if output == "labels":  # each of them is or is not
        aims = torch.randint(2, values.shape).float()
        found, kinds = nn.functional.binary_cross_entropy_with_logits(values, aims), 2
    elif output == "span":  # any token of the text may be the first or the last
        found = nn.functional.cross_entropy(values.transpose(1, 2).flatten(0, 1), torch.arange(6))
    else:
        values = values.flatten(0, -2)
        found = loss(values, torch.randint(kinds, values.shape[:1]))
    assert float(found) == pytest.approx(math.log(kinds), rel=0.04)
