"""An evaluation counts what plain logits say, example by example, in a flat memory."""

import math
import resource
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from loquent.architecture import ModelConfig, StackConfig
from loquent.data.batch import Batch
from loquent.data.settings import Place
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.training.evaluate import Evaluation, evaluate
from loquent.training.losses import LOSSES
from loquent.training.tensors import TensorBatch

WORDS, LENGTH = 13, 8


class Fixed:
    """Batches of one epoch."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = batches

    def size(self, epoch: int) -> int:
        return len(self.batches)

    def at(self, place: Place) -> Batch:
        assert place.epoch == 0
        return self.batches[place.index]


def network(output: str = "token", words: int = WORDS, **changes) -> Model:
    stack = StackConfig(
        layers=1, width=16, length=LENGTH, heads=2, causal=output == "token", dropout=0.3
    )
    stacks = {"decoder": stack} if output == "token" else {"encoder": stack}
    made = Model(ModelConfig(vocabulary=words, output=output, **stacks, **changes)).double()
    initialize(made, 1)
    with torch.no_grad():
        for each in made.parameters():
            noise = torch.randn(each.shape, generator=torch.Generator().manual_seed(2))
            each.add_(noise, alpha=0.3)
    return made.train()


def batch(rows: int, seed: int, words: int = WORDS) -> Batch:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, LENGTH + 1, rows)
    lengths[0] = LENGTH
    targets = generator.integers(0, words, (rows, LENGTH))
    targets[np.arange(LENGTH) >= lengths[:, None]] = -1
    ids = generator.integers(0, words, (rows, LENGTH))
    return Batch(ids=ids, lengths=lengths, targets=targets, examples=np.arange(rows) + 10 * seed)


def labeled(rows: int, seed: int, labels: np.ndarray) -> Batch:
    return replace(batch(rows, seed), targets=None, labels=labels)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_tokens_are_counted_example_by_example(rows):
    model, batches = network(), [batch(5, 1), batch(2, 2)]
    made = evaluate(model, Fixed(*batches), rows=rows)
    assert model.training  # as it was
    model.eval()
    losses, hits, counts = [], [], []
    for each in batches:
        given = TensorBatch.of(each, "cpu")
        logits = model(given.ids, given.lengths).detach()
        plain = functional.cross_entropy(
            logits.transpose(1, 2), given.targets, ignore_index=-1, reduction="none"
        )
        losses += plain.sum(1).tolist()
        known = given.targets >= 0
        hits += ((logits.argmax(-1) == given.targets) & known).sum(1).tolist()
        counts += known.sum(1).tolist()
    assert made.examples.tolist() == [10, 11, 12, 13, 14, 20, 21]
    assert made.losses.tolist() == pytest.approx(losses, rel=1e-12)
    assert made.hits.tolist() == hits
    assert made.counts.tolist() == counts
    assert made.loss == pytest.approx(sum(losses) / sum(counts))
    assert made.perplexity == pytest.approx(math.exp(made.loss))
    assert made.accuracy == pytest.approx(sum(hits) / sum(counts))
    assert made.bits_per_byte(50) == pytest.approx(sum(losses) / math.log(2) / 50)
    assert made.seconds > 0


def test_every_output_has_the_loss_that_it_is_trained_with():
    generator = np.random.default_rng(3)
    tags = np.where(batch(6, 1).targets < 0, -1, generator.integers(0, 4, (6, LENGTH)))
    lengths = batch(6, 1).lengths
    words = generator.integers(1, WORDS, (6, 2))
    words[0, 1] = -1
    cases = {
        "masked": (labeled(6, 1, batch(6, 1).targets), {}),
        "class": (labeled(6, 1, generator.integers(0, 4, (6, 1))), {"outputs": 4}),
        "tags": (labeled(6, 1, tags), {"outputs": 4}),
        "labels": (labeled(6, 1, generator.integers(-1, 2, (6, 3))), {"outputs": 3}),
        "span": (labeled(6, 1, np.stack([lengths * 0, lengths - 1], 1)), {}),
        "ctc": (replace(labeled(6, 1, words), lengths=np.full(6, LENGTH)), {}),
        "embedding": (
            replace(batch(6, 1), targets=None, source=abs(words), source_lengths=np.full(6, 2)),
            {},
        ),
    }
    for output, (given, changes) in cases.items():
        model = network(output, **changes)
        made = evaluate(model, Fixed(given))
        total, count = LOSSES[output](model.eval(), TensorBatch.of(given, "cpu"))
        assert made.losses.sum() == pytest.approx(float(total), rel=1e-6), output
        assert made.count == int(count), output
        assert 0 <= made.hits.sum() <= made.count, output


@pytest.mark.parametrize("output", ["class", "tags", "labels", "span"])
def test_a_network_that_knows_the_labels_hits_them_all(output):
    model = network(output, **({} if output == "span" else {"outputs": 3}))
    given = batch(5, 1)
    logits = model.eval()(torch.from_numpy(given.ids), torch.from_numpy(given.lengths)).detach()
    there = np.arange(LENGTH) < given.lengths[:, None]
    if output == "labels":
        labels = (logits > 0).long().numpy()
    elif output == "span":
        hidden = torch.from_numpy(~there)[..., None]
        labels = logits.masked_fill(hidden, -torch.inf).argmax(1).numpy()
    else:
        labels = logits.argmax(-1).numpy()
        labels = np.where(there, labels, -1) if output == "tags" else labels[:, None]
    made = evaluate(model, Fixed(replace(given, targets=None, labels=labels)))
    assert made.accuracy == 1
    wrong = labels.copy()
    wrong[0, 0] = 1 - wrong[0, 0] if output == "labels" else (wrong[0, 0] + 1) % 3
    worse = evaluate(model, Fixed(replace(given, targets=None, labels=wrong)))
    assert worse.hits.sum() == made.hits.sum() - 1
    assert worse.hits[0] == made.hits[0] - 1


def test_an_alignment_is_said_where_its_merged_labels_are_right():
    model = network("ctc")
    ids = torch.from_numpy(batch(4, 1).ids)
    said = model.eval()(ids).argmax(-1)
    labels = np.full((4, LENGTH), -1)
    for row, each in enumerate(said):
        merged = [int(a) for a, b in zip(each, [-1, *each[:-1].tolist()], strict=True) if a != b]
        merged = [word for word in merged if word]
        labels[row, : len(merged)] = merged
    labels[3, 0] = labels[3, 0] % (WORDS - 1) + 1  # another word
    given = replace(batch(4, 1), lengths=np.full(4, LENGTH), targets=None, labels=labels)
    made = evaluate(model, Fixed(given))
    assert made.hits.tolist() == [*made.counts[:3].tolist(), 0]


def test_a_limit_takes_the_first_batches():
    batches = Fixed(batch(3, 1), batch(3, 2), batch(3, 3))
    assert evaluate(network(), batches, limit=2).examples.tolist() == [10, 11, 12, 20, 21, 22]
    assert len(evaluate(network(), batches, limit=9).examples) == 9


def test_nothing_to_ask_is_no_number():
    made = evaluate(network(), Fixed())
    assert made.count == 0
    assert math.isnan(made.loss)
    assert math.isnan(made.accuracy)
    assert math.isnan(made.perplexity)
    assert math.isnan(made.bits_per_byte(0))


def test_a_perplexity_can_be_beyond_all_floats():
    one = np.ones(1, np.int64)
    made = Evaluation(examples=one, losses=np.array([1e4]), counts=one, hits=one, seconds=0.0)
    assert made.perplexity == math.inf


def test_bfloat16_is_near():
    exact = evaluate(network().float(), Fixed(batch(8, 1)))
    rough = evaluate(network().float(), Fixed(batch(8, 1)), precision="bf16")
    assert rough.loss != exact.loss
    assert rough.loss == pytest.approx(exact.loss, rel=0.03)


def test_memory_is_flat():
    """The logits of all batches would be 1.3 GB, those of one 32 MB."""
    words, rows = 20_000, 50
    model = network(words=words).float()
    given = batch(rows, 1, words)
    evaluate(model, Fixed(given))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = evaluate(model, Fixed(*[given] * 40))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(made.examples) == 40 * rows
    assert after - before < 400_000  # KB, on Linux; the allocator keeps some for itself
