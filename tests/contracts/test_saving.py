"""A network of every build is saved as a folder in Loquent's own spelling, and opens again."""

from pathlib import Path

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig, SpeechConfig, StackConfig
from loquent.checkpoints.checkpoint import Card, Checkpoint
from loquent.errors import ConfigError
from loquent.lm.executor import open_executor
from loquent.model.init import initialize
from loquent.model.model import Model, load, weights
from loquent.model.names import shapes

LABELS = ("bad", "good", "so-so")
LSTM = StackConfig(layers=1, width=8, length=0, mixer="lstm", positions="none")


def checkpoint(config: ModelConfig, family: str = "loquent") -> Checkpoint:
    model = Model(config)
    initialize(model, seed=3)
    card = Card(family=family, name="made here", dtype="F32")
    return Checkpoint(config=config, weights=weights(model), tokenizer=None, card=card)


def test_every_build_is_saved_and_opened(configs, tmp_path: Path) -> None:
    texts = ModelConfig(
        vocabulary=20,
        encoder=StackConfig(layers=0, width=6, length=0, causal=False, positions="none"),
        output="class",
        outputs=3,
        labels=LABELS,
        pooling="max",
    )
    voice = ModelConfig(
        vocabulary=20,
        encoder=StackConfig(layers=1, width=6, length=0, causal=False, positions="none"),
        output="speech",
        speech=SpeechConfig(width=4, bins=5, frame_layers=3),
    )
    for number, config in enumerate([*configs.values(), texts, voice]):
        made = checkpoint(config)
        made.save(tmp_path / str(number))
        again = Checkpoint.open(tmp_path / str(number))
        assert again.config == config
        found = {name: each.shape for name, each in again.weights.items()}
        assert found == shapes(config)
        assert set(again.weights) == set(made.weights)
        for name, weight in made.weights.items():
            np.testing.assert_array_equal(again.weights[name], weight)


def test_another_family_says_what_it_cannot_express(tmp_path: Path) -> None:
    stack = StackConfig(layers=1, width=8, length=30, mixer="lstm", feedforward=8)
    config = ModelConfig(vocabulary=20, decoder=stack)
    with pytest.raises(ConfigError, match=r"cannot express .*decoder\.mixer"):
        checkpoint(config, "gpt2").save(tmp_path / "no")


def test_torch_runs_what_the_native_runtime_does_not(tmp_path: Path) -> None:
    made = checkpoint(ModelConfig(vocabulary=20, decoder=LSTM))
    executor = open_executor(made)
    assert executor.runtime == "torch"
    assert executor.note == (
        "torch runs it: the native runtime does not execute the mixer 'lstm' of its decoder."
    )
    assert open_executor(made, runtime="torch").note == ""
    with pytest.raises(ConfigError, match="made here: the native runtime does not execute the mix"):
        open_executor(made, runtime="native")
    ids = torch.arange(5)[None]
    assert load(made.config, made.weights)(ids).shape == (1, 5, 20)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layers": 0}, "a decoder without layers"),
        ({"norm_place": "none"}, "layers without norms in its decoder"),
        ({"residual": False}, "layers without residual branches in its decoder"),
    ],
)
def test_the_native_runtime_names_what_it_does_not_execute(change, told) -> None:
    from loquent.native import model_settings  # noqa: PLC0415

    stack = StackConfig(**{"layers": 1, "width": 8, "length": 4, **change})
    with pytest.raises(ConfigError, match=told):
        model_settings(ModelConfig(vocabulary=20, decoder=stack))
    tags = ModelConfig(vocabulary=20, decoder=stack, output="tags", outputs=2)
    with pytest.raises(ConfigError, match=told):
        model_settings(tags)
