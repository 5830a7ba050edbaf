"""Numbers that are not finite stop a training before they can do harm, and are named."""

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig, StackConfig
from loquent.data.batch import Batch
from loquent.data.settings import Place
from loquent.errors import DataError
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.training import watch
from loquent.training.loop import Learner
from loquent.training.losses import token_loss
from loquent.training.settings import TrainingConfig
from loquent.training.watch import TrainingError

WORDS, LENGTH, BAD = 17, 6, 3  # the step that goes wrong
QUERY = "decoder.layers.0.attention.query.weight"


class Rows:
    """The same rows in every batch, with numbers that tell the batch."""

    def __init__(self, **changes) -> None:
        generator = np.random.default_rng(0)
        self.ids = generator.integers(0, WORDS - 1, (6, LENGTH))  # the last word never comes
        self.changes = changes

    def size(self, epoch: int) -> int:
        return 10

    def at(self, place: Place) -> Batch:
        arrays = {"ids": self.ids, "targets": self.ids}
        if place.index == BAD - 1:
            arrays |= self.changes
        examples = np.arange(6) + 10 * place.index
        return Batch(lengths=np.full(6, LENGTH), examples=examples, **arrays)

    def after(self, place: Place) -> Place:
        return Place(place.epoch, place.index + 1)


class Poisoned(torch.autograd.Function):
    """Lets a value through and spoils its gradient."""

    @staticmethod
    def forward(ctx, value, poison):
        ctx.poison = poison
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.poison, None


class Planted:
    """The token loss, with one example of the bad step spoiled in value or gradient."""

    def __init__(self, kind: str, value: float, example: int) -> None:
        self.kind, self.value, self.example = kind, value, example
        self.ids = Rows().ids[example]
        self.armed = False

    def __call__(self, model, batch):
        total, count = token_loss(model, batch)
        there = bool((batch.ids == torch.from_numpy(self.ids)).all(1).any())
        if not (self.armed and there):
            return total, count
        if self.kind == "loss":
            return total + self.value, count
        weight = dict(model.named_parameters())[QUERY]
        return total + (Poisoned.apply(weight, self.value) * 0).sum() * 1.0, count


def made(loss=None, source=None, **settings) -> Learner:
    stack = StackConfig(layers=1, width=8, length=LENGTH, heads=2, feedforward=8)
    model = Model(ModelConfig(vocabulary=WORDS, decoder=stack))
    initialize(model, 0)
    config = TrainingConfig(**{"steps": 10, "ema": 0.9, **settings})
    return Learner(model, source or Rows(), config, loss=loss)


def copied(learner: Learner) -> dict[str, torch.Tensor]:
    tensors = {f"model.{name}": each for name, each in learner.model.named_parameters()}
    tensors |= {f"ema.{name}": each for name, each in learner.average.tensors.items()}
    tensors |= learner.optimizers.state()
    return {name: each.detach().clone() for name, each in tensors.items()}


def stopped(learner: Learner, before, kind=TrainingError) -> str:
    """The message of the bad step, which must have changed nothing."""
    with pytest.raises(kind) as caught:
        next(learner.again)
    after = copied(learner)
    assert set(after) == set(before)
    for name, each in before.items():
        torch.testing.assert_close(after[name], each, rtol=0, atol=0, equal_nan=True, msg=name)
    assert learner.number == BAD - 1
    assert learner.place == Place(0, BAD - 1)
    assert all(each.grad is None for each in learner.parameters.values())
    return str(caught.value)


def until_bad(learner: Learner) -> None:
    """Take the steps before the bad one."""
    learner.again = learner.steps()
    for _ in range(BAD - 1):
        next(learner.again)


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_a_loss_or_gradient_names_its_example(kind, value, rows):
    loss = Planted(kind, value, example=4)
    learner = made(loss, micro_batch=rows)
    until_bad(learner)
    loss.armed = True
    told = stopped(learner, copied(learner))
    assert told.startswith(f"step {BAD}: the {kind} is not finite")
    assert "Examples: 24." in told
    assert (QUERY in told) == (kind == "gradient")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("decoder.embedding.weight", (WORDS - 1, 2)),  # of a word that no example has
        ("decoder.layers.0.feedforward.up.weight", (1, 0)),
        ("decoder.norm.bias", (3,)),
    ],
)
def test_a_weight_is_named_with_its_place(name, place, value):
    learner = made()
    until_bad(learner)
    with torch.no_grad():
        dict(learner.model.named_parameters())[name][place] = value
    told = stopped(learner, copied(learner))
    assert told.startswith(f"step {BAD}: the weights are not finite: {name!r} has {value}")
    assert f"at {list(place)}" in told
    assert "20, 21, 22, 23, 24, 25" in told
    with pytest.raises(TrainingError, match="weights"):  # nor is it ever saved
        learner.state()


@pytest.mark.parametrize("field", ["ids", "targets"])
def test_ids_without_a_row_are_a_fault_of_the_data(field):
    ids = Rows().ids.copy()
    ids[2, 5] = WORDS
    learner = made(source=Rows(**{field: ids}))
    until_bad(learner)
    told = stopped(learner, copied(learner), DataError)
    assert told.startswith("example 22: t")
    assert f"{WORDS} is beyond the last, {WORDS - 1}" in told


def test_labels_without_an_output_are_a_fault_of_the_data():
    stack = StackConfig(layers=1, width=8, length=LENGTH, heads=2, causal=False)
    config = ModelConfig(vocabulary=WORDS, encoder=stack, output="class", outputs=3)
    ids = Rows().ids
    batch = Batch(
        ids=ids,
        lengths=np.full(6, LENGTH),
        targets=None,
        labels=np.array([[0], [1], [2], [0], [3], [1]]),
        examples=np.arange(6),
    )
    with pytest.raises(DataError, match="example 4: label 3 is beyond the last, 2"):
        watch.check_ids(batch, config)


def test_a_rate_that_is_far_too_high_is_stopped_with_advice():
    learner = made(rate=1e30, optimizer="sgd", clip=0.0, steps=50, warmup=0)
    with pytest.raises(TrainingError, match="lower rate"):
        list(learner.steps())


def test_many_guilty_tensors_are_counted_not_listed():
    learner = made()
    with torch.no_grad():
        for each in learner.model.parameters():
            each.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"and \d more"):
        next(learner.steps())


def test_finite_numbers_are_let_pass():
    assert watch.finite([torch.ones(3), torch.zeros(0), torch.full((2,), 1e18)])
    assert watch.finite([])
    assert not watch.finite([torch.tensor([1.0, float("nan")])])
    assert not watch.memory_is_short(ValueError("not enough memory"))
