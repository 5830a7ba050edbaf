"""The loop: micro-batches, packing, budgets, averages and going on from a saved state."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from loquent.architecture import ModelConfig, StackConfig
from loquent.data.batch import Batch
from loquent.data.example import Example
from loquent.data.order import Batches, OrderConfig, Place
from loquent.data.store import Store
from loquent.errors import CheckpointError, ConfigError
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.training import preparing
from loquent.training.loop import Learner, train
from loquent.training.settings import TrainingConfig
from loquent.training.watch import TrainingError

WORDS, LENGTH = 19, 10


class Fixed:
    """Batches that stand in a list, one epoch after another."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = batches

    def size(self, epoch: int) -> int:
        return len(self.batches)

    def at(self, place: Place) -> Batch:
        return self.batches[place.index]

    def after(self, place: Place) -> Place:
        last = place.index + 1 == len(self.batches)
        return Place(place.epoch + 1, 0) if last else Place(place.epoch, place.index + 1)


def network(seed: int = 0, **changes) -> Model:
    settings = {"layers": 2, "width": 8, "length": LENGTH, "heads": 2, "feedforward": 16}
    config = ModelConfig(vocabulary=WORDS, decoder=StackConfig(**{**settings, **changes}))
    made = Model(config).double()
    initialize(made, seed)
    return made


def ragged(rows: int, seed: int = 0) -> Batch:
    """Rows of very unlike lengths, with prompts of which nothing is learned."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, LENGTH + 1, rows)
    lengths[0] = LENGTH
    ids = generator.integers(0, WORDS, (rows, LENGTH))
    targets = generator.integers(0, WORDS, (rows, LENGTH))
    places = np.arange(LENGTH)
    targets[places >= lengths[:, None]] = -1
    targets[places < lengths[:, None] // 3] = -1
    return Batch(ids=ids, lengths=lengths, targets=targets, examples=np.arange(rows) + 100)


def learner(model: Model, *batches: Batch, **settings) -> Learner:
    plain = {"steps": 5, "rate": 0.05, "schedule": "constant", "warmup": 0, "weight_decay": 0}
    return Learner(model, Fixed(*batches), TrainingConfig(**{**plain, **settings}))


def gradient(model: Model, batch: Batch, **settings):
    """The mean loss of a batch, its gradient's norm and the gradient, as the loop makes them."""
    made = learner(model, batch, **settings)
    loss, _, norm = made.gradients.of(batch, number=1, seed=1)
    made.gradients.scale(1.0)
    return loss, norm, {name: each.grad.clone() for name, each in made.parameters.items()}


def same(one, other, tolerance: float = 1e-12) -> None:
    assert one[0] == pytest.approx(other[0], rel=tolerance)
    assert one[1] == pytest.approx(other[1], rel=tolerance)
    for name, each in one[2].items():
        torch.testing.assert_close(each, other[2][name], rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 7, 50])
def test_micro_batches_are_the_plain_big_batch(rows):
    model, batch = network(), ragged(7)
    ids, targets = torch.from_numpy(batch.ids), torch.from_numpy(batch.targets)
    logits = model(ids, torch.from_numpy(batch.lengths))
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
    loss.backward()
    plain = {name: each.grad.clone() for name, each in model.named_parameters()}
    norm = torch.cat([each.flatten() for each in plain.values()]).norm()
    same(gradient(model, batch, micro_batch=rows), (float(loss), float(norm), plain))


def test_layers_that_are_computed_twice_give_the_same_gradient():
    model, batch = network(dropout=0.2), ragged(5)
    twice = gradient(model, batch, checkpointing=True)
    assert model.decoder.checkpointing
    same(twice, gradient(model, batch), 1e-12)


def test_packed_documents_are_the_same_as_rows_of_their_own(tmp_path):
    generator = np.random.default_rng(4)
    examples = [
        Example(generator.integers(0, WORDS, size).astype(np.int32), index=index)
        for index, size in enumerate([3, 7, 4, 6, 9, 2, 5, 5])
    ]
    store = Store.build(examples, tmp_path / "store")
    rows = Batches(store, OrderConfig(batch=8)).at(Place())
    packed = Batches(store, OrderConfig(order="pack", batch=8, length=LENGTH)).at(Place())
    assert packed.documents is not None
    assert len(packed.ids) < len(rows.ids)
    model = network()
    plain = gradient(model, rows)
    same(gradient(model, packed), plain, 1e-11)
    same(gradient(model, packed, micro_batch=2), plain, 1e-11)


def test_a_loss_that_counts_something_else_is_a_mean_over_that():
    def doubled(model, batch):
        states = model(batch.ids, batch.lengths)
        return states.square().sum(), torch.tensor(3 * len(batch.ids))

    batch, model = ragged(5), network()
    made = Learner(model, Fixed(batch), TrainingConfig(steps=1), loss=doubled)
    loss, count, norm = made.gradients.of(batch, 1, 1)
    made.gradients.scale(1.0)
    ids, lengths = torch.from_numpy(batch.ids), torch.from_numpy(batch.lengths)
    model_gradient = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    mean = model(ids, lengths).square().sum() / 15
    mean.backward()
    assert count == 15
    assert loss == pytest.approx(float(mean))
    plain = {n: p.grad for n, p in model.named_parameters()}
    same((loss, norm, model_gradient), (float(mean), norm, plain))
    assert norm == pytest.approx(
        float(torch.cat([each.flatten() for each in plain.values()]).norm())
    )


def test_clipping_scales_the_whole_gradient_and_tells_the_norm_before():
    results = {}
    for clip in (0.0, 0.01, 1e9):
        model = network()
        made = learner(model, ragged(4), optimizer="sgd", momentum=0.0, clip=clip, steps=1)
        before = {name: each.detach().clone() for name, each in model.named_parameters()}
        (step,) = made.steps()
        moved = [(each - before[name]).flatten() for name, each in model.named_parameters()]
        results[clip] = (step.gradient_norm, float(torch.cat(moved).norm()))
    assert results[0.0] == results[1e9]
    assert results[0.01][0] == results[0.0][0]
    assert results[0.0][1] == pytest.approx(0.05 * results[0.0][0])
    assert results[0.01][1] == pytest.approx(0.05 * 0.01)


@pytest.mark.parametrize(
    ("budget", "count"),
    [({"steps": 4}, 4), ({"epochs": 1.5}, 3), ({"tokens": 60}, 0), ({"epochs": 9, "steps": 2}, 2)],
)
def test_budgets_end_the_run(budget, count):
    first, second = ragged(4), ragged(6, seed=1)
    made = learner(network(), first, second, **{"steps": 0, **budget})
    steps = list(made.steps())
    tokens = np.cumsum([int(each.lengths.sum()) for each in (first, second)] * 9)
    count = count or int(np.argmax(tokens >= 60)) + 1
    assert [step.number for step in steps] == list(range(1, count + 1))
    assert [step.tokens for step in steps] == tokens[:count].tolist()
    assert [step.last for step in steps] == [False] * (count - 1) + [True]
    assert steps[-1].share == 1.0
    assert steps[-1].place == made.place
    assert not list(made.steps())


def test_sources_count_as_tokens():
    made = learner(network(), ragged(2))
    batch = replace(ragged(2), source=np.zeros((2, 5), int), source_lengths=np.array([5, 2]))
    from loquent.training import loop  # noqa: PLC0415  the function is the loop's own

    assert loop._tokens(batch) == int(batch.lengths.sum()) + 7
    assert made.tokens == 0


def test_the_rate_is_that_of_the_middle_of_each_step():
    made = learner(network(), ragged(3), steps=4, schedule="linear", warmup=0.5, final_rate=0.0)
    rates = [step.rate for step in made.steps()]
    assert rates == pytest.approx([0.0125, 0.0375, 0.0375, 0.0125])


@pytest.mark.parametrize("seconds", [1.0, 2.5])
def test_a_time_budget_is_kept(seconds):
    made = learner(network(), ragged(8), steps=0, minutes=seconds / 60, schedule="cosine")
    began = time.perf_counter()
    steps = list(made.steps())
    taken = time.perf_counter() - began
    assert steps[-1].last
    assert abs(taken - seconds) <= 0.05 * seconds
    assert steps[-1].seconds == pytest.approx(taken, abs=0.05)
    assert steps[-1].rate < 0.2 * steps[0].rate  # the schedule came to its end
    assert steps[-1].share > 0.95


def test_a_time_budget_counts_what_happens_between_the_steps():
    made = learner(network(), ragged(8), steps=0, minutes=4 / 60)
    began, pauses = time.perf_counter(), 0
    for step in made.steps():
        if step.seconds > 0.1 * (pauses + 1) and pauses < 8:
            time.sleep(0.08)
            pauses += 1
    assert pauses == 8
    assert abs(time.perf_counter() - began - 4) <= 0.2


def test_the_average_of_the_weights_is_its_formula():
    model = network()
    made = learner(model, ragged(4), ragged(3, seed=2), ema=0.3, steps=6)
    expected = {name: each.detach().clone() for name, each in made.parameters.items()}
    for step in made.steps():
        decay = min(0.3, (1 + step.number) / (10 + step.number))
        for name, each in made.parameters.items():
            expected[name] = decay * expected[name] + (1 - decay) * each.detach()
    own = {name: each.detach().clone() for name, each in made.parameters.items()}
    with made.averaged():
        for name, each in model.named_parameters():
            torch.testing.assert_close(each.detach(), expected[name], rtol=1e-12, atol=1e-13)
    assert all(torch.equal(each, own[name]) for name, each in made.parameters.items())


def test_without_an_average_the_weights_are_their_own():
    made = learner(network(), ragged(4))
    weights = {name: each.detach().clone() for name, each in made.parameters.items()}
    with made.averaged():
        assert all(torch.equal(each, weights[name]) for name, each in made.parameters.items())


STACKS = {
    "attention": {"feedforward": 0},
    "transformer": {"dropout": 0.1},
    "rotary": {"positions": "rotary", "norm": "rms", "gated": True},
    "conv": {"mixer": "conv", "kernel": 3},
    "rnn": {"mixer": "rnn", "dropout": 0.1},
    "gru": {"mixer": "gru"},
    "lstm": {"mixer": "lstm"},
}


def text_convolution() -> Model:
    stack = StackConfig(
        layers=1, width=8, length=LENGTH, mixer="text_conv", kernels=(2, 3), causal=False
    )
    config = ModelConfig(vocabulary=WORDS, encoder=stack, output="class", outputs=3, pooling="max")
    made = Model(config).double()
    initialize(made, 0)
    return made


def translator() -> Model:
    encoder = StackConfig(layers=1, width=8, length=LENGTH, mixer="gru", causal=False)
    decoder = StackConfig(layers=1, width=8, length=LENGTH, mixer="bahdanau", cross=True)
    made = Model(ModelConfig(vocabulary=WORDS, encoder=encoder, decoder=decoder)).double()
    initialize(made, 0)
    return made


def classified(seed: int) -> Batch:
    labels = np.random.default_rng(seed).integers(0, 3, (5, 1))
    return replace(ragged(5, seed), targets=None, labels=labels)


def translated(seed: int) -> Batch:
    other = ragged(5, seed + 50)
    return replace(ragged(5, seed), source=other.ids, source_lengths=other.lengths)


@pytest.mark.parametrize("kind", [*STACKS, "text_conv", "bahdanau"])
def test_a_restored_learner_goes_on_bit_by_bit(kind):
    make, batch = (lambda: network(**STACKS[kind])), ragged
    if kind == "text_conv":
        make, batch = text_convolution, classified
    if kind == "bahdanau":
        make, batch = translator, translated
    batches = [batch(seed=seed) if batch is not ragged else ragged(5, seed) for seed in range(4)]
    settings = {"steps": 12, "ema": 0.5, "schedule": "cosine", "warmup": 0.2, "seed": 9}
    whole, kept, losses = learner(make(), *batches, **settings), {}, []
    for step in whole.steps():
        losses.append((step.number, step.loss, step.gradient_norm, step.rate, step.place))
        state = whole.state()
        kept[step.number] = replace(
            state, tensors={name: each.clone() for name, each in state.tensors.items()}
        )
    for split in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11):
        model = make()
        initialize(model, 77)
        other = learner(model, *batches, **settings)
        torch.rand(split)  # what else draws random numbers does not matter
        other.restore(kept[split])
        again = [
            (step.number, step.loss, step.gradient_norm, step.rate, step.place)
            for step in other.steps()
        ]
        assert again == losses[split:]
        for name, each in whole.state().tensors.items():
            assert torch.equal(other.state().tensors[name], each), (split, name)


def test_a_state_of_another_network_is_refused_and_nothing_changes():
    made = learner(network(), ragged(3), ema=0.5)
    list(made.steps())
    state = made.state()
    other = learner(network(width=12, feedforward=0), ragged(3), optimizer="sgd")
    before = {name: each.detach().clone() for name, each in other.parameters.items()}
    with pytest.raises(CheckpointError) as caught:
        other.restore(state)
    told = str(caught.value)
    assert "'model.decoder.embedding.weight' has the shape (19, 8), not (19, 12)" in told
    assert "'model.decoder.layers.0.feedforward.up.weight' is left over" in told
    assert "the optimizer was 'adamw', but is 'sgd' now" in told
    assert all(torch.equal(each, before[name]) for name, each in other.parameters.items())
    without = learner(network(), ragged(3), ema=0.5)
    tensors = {k: v for k, v in state.tensors.items() if k != "model.decoder.norm.weight"}
    with pytest.raises(CheckpointError, match=r"'model\.decoder\.norm\.weight' is missing"):
        without.restore(replace(state, tensors=tensors))


def test_frozen_weights_stay_and_are_not_saved():
    model = network()
    model.decoder.embedding.requires_grad_(False)
    before = model.decoder.embedding.weight.clone()
    made = learner(model, ragged(4), weight_decay=0.5)
    list(made.steps())
    assert torch.equal(model.decoder.embedding.weight, before)
    assert not any("embedding" in name for name in made.state().tensors)
    with pytest.raises(ConfigError, match="frozen"):
        learner(network().requires_grad_(False), ragged(4))


def test_a_batch_with_nothing_to_learn_changes_nothing_and_is_told():
    empty = replace(ragged(3), targets=np.full((3, LENGTH), -1))
    told, model = [], network()
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    config = TrainingConfig(steps=1, ema=0.5)
    made = Learner(model, Fixed(empty), config, note=told.append)
    (step,) = made.steps()
    assert step.loss == 0
    assert step.last
    assert "nothing to learn" in told[0]
    assert "100, 101, 102" in told[0]
    assert all(torch.equal(each, before[name]) for name, each in model.named_parameters())


class Short:
    """A loss for which the memory is enough for some rows at a time only."""

    def __init__(self, rows: int, fault: Exception) -> None:
        self.rows, self.fault, self.tried = rows, fault, []

    def __call__(self, model, batch):
        from loquent.training.losses import token_loss  # noqa: PLC0415  only here

        self.tried.append(len(batch.ids))
        total, count = token_loss(model, batch)
        if len(batch.ids) > self.rows:
            raise self.fault
        return total, count


@pytest.mark.parametrize(
    "fault",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("not enough memory: you tried to allocate 8 bytes"),
        MemoryError("Unable to allocate"),
    ],
    ids=["cuda", "allocator", "torch", "numpy"],
)
def test_short_memory_halves_the_micro_batch_and_the_loss_stays(fault):
    told, model, batch = [], network(), ragged(7)
    plain = gradient(model, batch)
    short = Short(2, fault)
    made = Learner(model, Fixed(batch), TrainingConfig(steps=2), loss=short, note=told.append)
    loss, _, norm = made.gradients.of(batch, 1, 1)
    made.gradients.scale(1.0)
    same((loss, norm, {n: p.grad for n, p in made.parameters.items()}), plain)
    assert short.tried == [7, 4, 2, 2, 2, 1]
    assert made.gradients.rows == 2
    assert "7 rows at a time: 4 are taken" in told[0]
    assert len(told) == 2
    assert made.state().values["rows"] == 2


def test_a_memory_too_short_for_one_row_is_told_with_advice():
    made = Learner(
        network(), Fixed(ragged(3)), TrainingConfig(steps=1), loss=Short(0, MemoryError("no"))
    )
    with pytest.raises(TrainingError, match=rf"one row of {LENGTH} tokens.*shorter length"):
        list(made.steps())


def test_other_faults_are_not_taken_for_short_memory():
    made = Learner(
        network(), Fixed(ragged(3)), TrainingConfig(steps=1), loss=Short(0, RuntimeError("odd"))
    )
    with pytest.raises(RuntimeError, match="odd"):
        list(made.steps())


LIMITED = """
import resource, sys
import numpy as np, torch
torch.set_num_threads(1)
from loquent.architecture import ModelConfig, StackConfig
from loquent.data.batch import Batch
from loquent.data.settings import Place
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.training import preparing
from loquent.training.loop import Learner
from loquent.training.settings import TrainingConfig
limit, rows = int(sys.argv[1]), int(sys.argv[2])
stack = StackConfig(layers=2, width=64, length=256, heads=2, feedforward=8192)
model = Model(ModelConfig(vocabulary=50, decoder=stack))
initialize(model, 1)
ids = np.random.default_rng(1).integers(0, 50, (16, 256))
batch = Batch(ids=ids, lengths=np.full(16, 256), targets=ids, examples=np.arange(16))
class Fixed:
    def size(self, epoch): return 1
    def at(self, place): return batch
    def after(self, place): return Place(place.epoch + 1, 0)
if limit:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + limit, used + limit))
config = TrainingConfig(steps=1, micro_batch=rows)
learner = Learner(model, Fixed(), config, note=lambda note: print("note:", note))
for step in learner.steps():
    print(step.loss, step.gradient_norm, learner.gradients.rows)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_real_limit_of_memory_is_lived_with():
    """A process that may have 300 MB more than it has: 16 rows need over 600 for their insides."""
    limited, plain = (
        subprocess.run(
            [sys.executable, "-c", LIMITED, *args], capture_output=True, text=True, check=False
        )
        for args in (("300000000", "0"), ("0", "4"))
    )
    assert limited.returncode == 0, limited.stderr
    lines = [line for line in limited.stdout.splitlines() if not line.startswith("note:")]
    assert "note: The memory is too short for 16 rows at a time: 8 are taken" in limited.stdout
    assert int(lines[-1].split()[2]) < 16
    for one, other in zip(lines, plain.stdout.splitlines(), strict=True):
        for ours, theirs in zip(one.split()[:2], other.split()[:2], strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


def test_bfloat16_learns_what_float32_does(monkeypatch):
    monkeypatch.setattr(preparing, "_has_bfloat16", lambda device: True)  # slowly, anywhere
    losses = {}
    for precision in ("f32", "bf16"):
        model = network().float()
        made = learner(model, ragged(8), precision=precision, steps=30, rate=0.01)
        losses[precision] = [step.loss for step in made.steps()]
        assert {each.dtype for each in model.parameters()} == {torch.float32}
    assert losses["bf16"] != losses["f32"]
    assert losses["bf16"] == pytest.approx(losses["f32"], rel=0.05)
    assert losses["bf16"][-1] < 0.7 * losses["bf16"][0]


def test_bfloat16_is_refused_where_there_is_none():
    with pytest.raises(ConfigError, match="bfloat16"):
        Learner(
            network(), Fixed(ragged(2)), TrainingConfig(steps=1, precision="bf16"), device="meta"
        )


def test_train_goes_on_from_what_was_saved():
    config = TrainingConfig(steps=4, rate=0.05)
    made = Learner(network(), Fixed(ragged(4)), config)
    steps = made.steps()
    next(steps)
    saved = made.state()
    saved = replace(saved, tensors={name: each.clone() for name, each in saved.tensors.items()})
    rest = [step.loss for step in steps]
    again = train(network(seed=5), Fixed(ragged(4)), config, saved=saved)
    assert [step.loss for step in again] == rest
    assert len(list(train(network(), Fixed(ragged(4)), config))) == 4


def test_dropout_depends_on_the_seed_and_the_step_alone():
    def losses(seed: int) -> list[float]:
        made = learner(network(dropout=0.5), ragged(4), rate=1e-9, seed=seed, steps=3)
        found = []
        for step in made.steps():
            torch.rand(7)
            found.append(step.loss)
        return found

    first = losses(1)
    assert first == losses(1)
    assert first != losses(2)
    assert len(set(first)) == 3


@pytest.mark.long  # the compiler takes over a minute
def test_a_compiled_network_learns_the_same():
    losses = []
    for compiled in (False, True):
        made = learner(network().float(), ragged(4), steps=3, compile=compiled)
        losses.append([step.loss for step in made.steps()])
        assert not any("_orig_mod" in name for name in made.parameters)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
