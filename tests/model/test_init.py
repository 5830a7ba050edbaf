"""First weights: of a known size, drawn from the seed alone, and without an opinion."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.init import initialize
from loquent.model.model import Model

LLAMA = {"norm": "rms", "gated": True, "activation": "silu", "positions": "rotary"}
VASWANI = {"positions": "sinusoidal", "norm_place": "post", "final_norm": False, "feedforward": 512}


def stack(**changes) -> StackConfig:
    return StackConfig(**{"layers": 2, "width": 256, "length": 64, "heads": 4, **changes})


# Wide or shallow for their vocabulary: with 0.02 throughout, some would start far from ln(V).
SHAPES = {
    "letters": ModelConfig(vocabulary=65, decoder=stack(layers=1, width=768)),
    "scaled": ModelConfig(vocabulary=500, decoder=stack(**LLAMA), embedding_scale=16.0),
    "wide": ModelConfig(vocabulary=300, decoder=stack(width=1536, **LLAMA)),
    "untied": ModelConfig(vocabulary=300, tied=False, decoder=stack(width=1536)),
    "loud": ModelConfig(vocabulary=300, decoder=stack(), logit_scale=8.0),
    "lstm": ModelConfig(vocabulary=1000, decoder=stack(mixer="lstm", positions="none")),
    "gru-bare": ModelConfig(
        vocabulary=1000,
        decoder=stack(
            mixer="gru", positions="none", norm_place="none", residual=False, final_norm=False
        ),
    ),
    "conv": ModelConfig(
        vocabulary=1000, decoder=stack(mixer="conv", kernel=5, layers=6, positions="none")
    ),
    "bahdanau": ModelConfig(
        vocabulary=1000,
        encoder=stack(mixer="gru", causal=False, positions="none"),
        decoder=stack(mixer="bahdanau", cross=True, positions="none"),
    ),
    "transformer": ModelConfig(
        vocabulary=1000,
        embedding_scale=16.0,
        encoder=stack(causal=False, **VASWANI),
        decoder=stack(cross=True, **VASWANI),
    ),
}


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_the_first_loss_is_that_of_knowing_nothing(config: ModelConfig) -> None:
    model = Model(config)
    initialize(model, seed=1)
    ids = torch.randint(config.vocabulary, (6, 60), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        logits = model(ids, None, ids if config.encoder else None)
    loss = cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert float(loss) == pytest.approx(math.log(config.vocabulary), rel=0.04)


def test_sizes_of_the_first_weights() -> None:
    config = ModelConfig(
        vocabulary=5000,
        decoder=stack(layers=8, feedforward=1024, attention_bias=True, output_bias=True),
    )
    model = Model(config)
    initialize(model, seed=0)
    for name, weight in model.state_dict().items():
        if name.endswith("bias"):
            assert not weight.any(), name
        elif "norm" in name:
            assert (weight == 1).all(), name
        else:
            ends = name.endswith(("output.weight", "down.weight"))
            size = 0.02 / math.sqrt(2 * 8) if ends else 0.02
            assert float(weight.std()) == pytest.approx(size, rel=0.02), name
            assert abs(float(weight.mean())) < size / 20, name


def test_the_seed_alone_says_what_is_drawn() -> None:
    config = SHAPES["scaled"]
    made = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(made))  # torch's own generator has no part in it
        model = Model(config)
        initialize(model, seed)
        made.append(model.state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
    assert not torch.equal(
        made[0]["decoder.layers.0.attention.query.weight"],
        made[2]["decoder.layers.0.attention.query.weight"],
    )


def test_first_weights_of_recurrent_stacks() -> None:
    stacks = {"mixer": "lstm", "positions": "none", "width": 128}
    config = ModelConfig(vocabulary=500, encoder=stack(causal=False, **stacks))
    model = Model(config)
    initialize(model, seed=0)
    for name, weight in model.state_dict().items():
        if name.endswith("recurrent.weight"):  # each gate turns the state without stretching it
            for gate in weight.double().chunk(4):
                assert (
                    float((gate @ gate.T - torch.eye(64, dtype=torch.float64)).abs().max()) < 1e-6
                )
        elif name.endswith("input.weight"):
            assert float(weight.std()) == pytest.approx(128**-0.5, rel=0.02), name
        elif name.endswith("input.bias"):
            gates = [1.0 if gate == 1 else 0.0 for gate in range(4)]
            assert weight.chunk(4)[1].eq(1).all()
            assert [float(each.mean()) for each in weight.chunk(4)] == gates
        elif name.endswith("bias"):
            assert not weight.any(), name
