"""A run that goes on from a checkpoint is the unbroken one, bit by bit, for every network."""

import pytest
import torch

from loquent.data.order import Batches, OrderConfig
from loquent.data.store import Store
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.training import checkpoints
from loquent.training.loop import Learner
from loquent.training.settings import TrainingConfig

FAMILIES = ("rnn", "gru", "lstm", "conv", "attention", "transformer")
STEPS = 20  # of 15 batches an epoch: the last points are in the second
SPLITS = (1, 3, 4, 7, 8, 11, 14, 15, 16, 19)


@pytest.fixture
def learner(bench, store):
    """A learner with fresh weights of a seed; another seed shows what was restored."""

    def made(family: str, seed: int = 0, **settings) -> Learner:
        model = Model(bench("trials").network(family))
        initialize(model, seed)
        batches = Batches(Store.open(store), OrderConfig(batch=4, seed=3))
        config = TrainingConfig(**{"steps": STEPS, "rate": 1e-2, "ema": 0.9, "seed": 5, **settings})
        return Learner(model, batches, config)

    return made


def ignore(_: str) -> None:
    """A note that this test does not look at."""


def check(learner, folder, family, **settings) -> None:
    unbroken, saved_at = learner(family, **settings), {}
    losses = []
    for step in unbroken.steps():
        losses.append((step.number, step.loss, step.gradient_norm, step.rate, step.tokens))
        if step.number in SPLITS:
            saved_at[step.number] = folder / f"step-{step.number}"
            checkpoints.write(folder, step.number, unbroken.state(), last=100)
    assert len({loss for _, loss, *_ in losses}) > STEPS // 2
    final = unbroken.state().tensors
    for split, path in saved_at.items():
        other = learner(family, seed=1, **settings)
        torch.rand(split)  # what else has drawn random numbers changes nothing
        other.restore(checkpoints.read(path))
        again = [
            (step.number, step.loss, step.gradient_norm, step.rate, step.tokens)
            for step in other.steps()
        ]
        assert again == losses[split:], f"{family}, from step {split}"
        for name, tensor in other.state().tensors.items():
            assert torch.equal(tensor, final[name]), f"{family}, from step {split}: {name}"


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_and_weights_are_those_of_the_unbroken_run(family, learner, tmp_path):
    check(learner, tmp_path, family)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "muon"},
        {"optimizer": "adafactor"},
        {"optimizer": "sgd", "schedule": "wsd"},
        {"micro_batch": 2, "schedule": "linear", "label_smoothing": 0.1},
        {"steps": 0, "epochs": 1.4, "ema": 0.0, "clip": 0.0, "schedule": "inverse_sqrt"},
    ],
    ids=lambda settings: " ".join(map(str, settings.values())),
)
def test_with_other_settings_too(settings, learner, tmp_path):
    check(learner, tmp_path, "transformer", **settings)
