"""What every network must hold, through `Model.forward`."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from loquent.checkpoints.files.safetensors import open_safetensors, write_safetensors
from loquent.errors import CheckpointError
from loquent.model.cost import cost
from loquent.model.init import initialize
from loquent.model.model import Model, load, weights
from loquent.model.names import shapes

EXACT = 1e-12
LENGTH = 120


def draw(model: Model, rows: int, length: int, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(model.config.vocabulary, (rows, length), generator=generator)


def source(model: Model, rows: int, length: int = 50) -> Tensor | None:
    if model.config.encoder is None or model.config.decoder is None:
        return None
    words = model.config.source_vocabulary or model.config.vocabulary
    return torch.randint(words, (rows, length), generator=torch.Generator().manual_seed(9))


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def test_parameters_have_the_names_of_the_architecture(model: Model) -> None:
    assert {name: tuple(each.shape) for name, each in model.state_dict().items()} == shapes(
        model.config
    )


def test_cost_counts_every_parameter(model: Model) -> None:
    counted = cost(model.config, weight_bits=8)
    assert counted.parameters == sum(each.numel() for each in model.parameters())
    assert counted.weight_bytes == counted.parameters
    assert counted.flops > 0


def test_alone_as_in_a_ragged_batch(model: Model) -> None:
    ids, sources = draw(model, 16, LENGTH), source(model, 16)
    lengths = torch.linspace(1, LENGTH, 16).long()
    source_lengths = None if sources is None else torch.linspace(1, 50, 16).long()
    whole = model(ids, lengths, sources, source_lengths)
    for row in (0, 1, 7, 15):
        size = int(lengths[row])
        part = None if sources is None else sources[row : row + 1, : source_lengths[row]]
        alone = model(ids[row : row + 1, :size], None, part)
        assert distance(alone[0], whole[row, :size]) < EXACT


def test_padding_may_hold_anything(model: Model) -> None:
    ids, sources = draw(model, 3, 40), source(model, 3)
    lengths, source_lengths = torch.tensor([40, 25, 1]), torch.tensor([50, 3, 20])
    other, other_sources = ids.clone(), None if sources is None else sources.clone()
    for row in range(3):
        other[row, lengths[row] :] = 5
        if other_sources is not None:
            other_sources[row, source_lengths[row] :] = 5
    first = model(ids, lengths, sources, None if sources is None else source_lengths)
    second = model(other, lengths, other_sources, None if sources is None else source_lengths)
    for row in range(3):
        assert torch.equal(first[row, : lengths[row]], second[row, : lengths[row]])


def test_rows_may_stand_in_any_order(model: Model) -> None:
    ids, sources = draw(model, 5, 30), source(model, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    straight = model(ids, None, sources)
    turned = model(ids[order], None, None if sources is None else sources[order])
    assert distance(straight[order], turned) < EXACT


def test_a_token_sees_those_before_it_and_an_encoder_all(model: Model) -> None:
    ids, sources = draw(model, 1, 30), source(model, 1)
    other = ids.clone()
    other[0, 20] = (other[0, 20] + 1) % model.config.vocabulary
    first, second = model(ids, None, sources), model(other, None, sources)
    if model.config.decoder is not None:
        assert torch.equal(first[:, :20], second[:, :20])
    elif model.config.encoder.ngrams:  # each token sees those of the n-grams that end with it
        end = 20 + max(model.config.encoder.ngrams)
        assert torch.equal(first[:, :20], second[:, :20])
        assert torch.equal(first[:, end:], second[:, end:])
    else:
        assert distance(first[:, :20], second[:, :20]) > 1e-6
    assert distance(first[:, 20:], second[:, 20:]) > 1e-6
    if sources is not None:
        sources[0, 0] = (sources[0, 0] + 1) % 29
        assert distance(first, model(ids, None, sources)) > 1e-6


def test_saved_and_opened_again_it_is_the_same(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    made = {name: array.astype(np.float32) for name, array in weights(model).items()}
    write_safetensors(path, {name: each.shape for name, each in made.items()}, made.__getitem__)
    container = open_safetensors(path)
    again = load(model.config, {name: container[name] for name in container})
    direct = load(model.config, made)
    ids, sources = draw(model, 2, 20), source(model, 2)
    assert torch.equal(again(ids, None, sources), direct(ids, None, sources))


def test_loading_tells_every_weight_that_does_not_fit(model: Model) -> None:
    made = weights(model)
    first, second, *_ = made
    made["decoder.wrong"] = made.pop(first)
    made[second] = made[second][..., :-1]
    with pytest.raises(CheckpointError) as caught:
        load(model.config, made)
    message = str(caught.value)
    assert f"{first!r} is missing" in message
    assert "'decoder.wrong' is left over" in message
    assert f"{second!r} has the shape" in message


def test_the_first_loss_is_that_of_knowing_nothing(writer: Model) -> None:
    model = Model(writer.config)
    initialize(model, seed=1)
    ids, sources = draw(model, 8, 60), source(model, 8)
    with torch.no_grad():
        logits = model(ids, None, sources)
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert float(loss) == pytest.approx(math.log(model.config.vocabulary), rel=0.03)


def test_every_weight_learns(writer: Model, make) -> None:
    model = make(writer.config).requires_grad_(True)
    ids, sources = draw(model, 2, 25), source(model, 2)
    model(ids, None, sources).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name
