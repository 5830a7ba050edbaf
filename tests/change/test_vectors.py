"""Vectors of a pretrained model in a new network: the same directions, at the network's size."""

import numpy as np
import pytest
import torch

from loquent.change.vectors import begin_with, vectors_of
from loquent.errors import ConfigError
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.runs.networks import NETWORKS, Shape
from loquent.runs.presets import model_config

TOKENS, WIDTH = 12, 24


def network(kind: str, stacks: str, seed: int = 0) -> Model:
    shape = Shape(1, WIDTH, 2, 48)
    output = "class" if stacks == "encoder" else "token"
    labels = ("n", "y") if stacks == "encoder" else ()
    model = Model(
        model_config(
            kind, shape, stacks, output=output, vocabulary=TOKENS, length=16, dropped={},
            labels=labels,
        )
    )  # fmt: skip
    initialize(model, seed)
    return model


CASES = [
    (kind, stacks)
    for kind, each in NETWORKS.items()
    for stacks in ("encoder", "decoder", "both")
    if stacks in each.stacks
]


@pytest.mark.parametrize(("kind", "stacks"), CASES)
def test_a_network_begins_with_vectors_of_its_own_size(kind, stacks) -> None:
    vectors = np.random.default_rng(0).normal(3.0, 5.0, (TOKENS, WIDTH)).astype(np.float32)
    model, drawn = network(kind, stacks), network(kind, stacks)
    begin_with(model, vectors)
    stack = model.encoder or model.decoder
    old = (drawn.encoder or drawn.decoder).table.weight
    new = stack.table.weight
    assert torch.allclose(new.std(), old.std(), rtol=1e-5)
    cosine = torch.nn.functional.cosine_similarity(
        new.flatten(), torch.tensor(vectors).flatten(), 0
    )
    assert cosine > 1 - 1e-6
    for name, weight in model.state_dict().items():
        if not name.endswith("embedding.weight"):
            assert torch.equal(weight, drawn.state_dict()[name]), name
    with pytest.raises(ConfigError, match="the vectors are"):
        begin_with(model, vectors[:, 1:])


def test_vectors_stand_about_their_mean_and_are_all_there() -> None:
    config = network("lstm", "encoder").config
    table = np.random.default_rng(1).normal(3.0, 1.0, (TOKENS + 4, WIDTH)).astype(np.float32)
    taken = vectors_of(config, {"encoder.embedding.weight": table}, TOKENS)
    assert taken.shape == (TOKENS, WIDTH)
    assert np.abs(taken.mean(axis=0)).max() < 1e-5
    assert np.allclose(taken[3] - taken[5], table[3] - table[5], atol=1e-5)
    with pytest.raises(ConfigError, match="no vectors of its 17 tokens"):
        vectors_of(config, {"encoder.embedding.weight": table}, TOKENS + 5)
    with pytest.raises(ConfigError, match="no vectors"):
        vectors_of(config, {}, TOKENS)
