"""What a rank of test_ranks.py does, alone or as one of several that torchrun starts."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from loquent.architecture import ModelConfig, StackConfig
from loquent.data.batch import Batch
from loquent.data.settings import Place
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.training.evaluate import evaluate
from loquent.training.loop import Learner
from loquent.training.ranks import ranks_of
from loquent.training.settings import TrainingConfig
from loquent.training.watch import TrainingError

CASES = {
    "adamw": {},
    "micro": {"micro_batch": 1, "optimizer": "muon"},
    "adafactor": {"optimizer": "adafactor", "ema": 0.5},
    "sharded": {"sharded": True},
    "sharded micro": {"sharded": True, "micro_batch": 2, "checkpointing": True, "ema": 0.5},
}
WORDS, LENGTH, STEPS = 21, 7, 6


class Uneven:
    """Batches that no number of ranks divides, one of a single row among them."""

    sizes = (5, 1, 8, 3)

    def size(self, epoch: int) -> int:
        return len(self.sizes)

    def at(self, place: Place) -> Batch:
        rows = self.sizes[place.index]
        generator = np.random.default_rng(place.index)
        lengths = generator.integers(2, LENGTH + 1, rows)
        lengths[0] = LENGTH
        ids = generator.integers(0, WORDS, (rows, LENGTH))
        targets = np.where(np.arange(LENGTH) < lengths[:, None], (ids * 3 + 1) % WORDS, -1)
        return Batch(ids=ids, lengths=lengths, targets=targets, examples=np.arange(rows))

    def after(self, place: Place) -> Place:
        last = place.index + 1 == len(self.sizes)
        return Place(place.epoch + 1, 0) if last else Place(place.epoch, place.index + 1)


def network(rank: int) -> Model:
    stack = StackConfig(layers=2, width=8, length=LENGTH, heads=2, feedforward=12)
    model = Model(ModelConfig(vocabulary=WORDS, decoder=stack)).double()
    initialize(model, 4 + rank)  # all but rank 0 begin wrongly
    return model


def trained(ranks, **settings) -> dict:
    """Losses and final weights; half of the way comes from a restored state."""
    config = TrainingConfig(**{"steps": STEPS, "rate": 0.02, "warmup": 0, **settings})
    learner = Learner(network(ranks.rank), Uneven(), config, ranks=ranks)
    seen, steps = [], learner.steps()
    for _ in range(STEPS // 2):
        step = next(steps)
        seen.append((step.loss, step.gradient_norm, step.tokens))
    saved = learner.state()
    second = Learner(network(ranks.rank + 9), Uneven(), config, ranks=ranks)
    second.restore(saved)
    seen += [(step.loss, step.gradient_norm, step.tokens) for step in second.steps()]
    with second.averaged():
        judged = evaluate(second.model, Uneven(), ranks=ranks)
    weights = {name: each.tolist() for name, each in second.state().tensors.items()}
    order = np.argsort(judged.losses)
    rows = [judged.losses[order].tolist(), judged.counts.sum().item(), judged.hits.sum().item()]
    return {"seen": seen, "weights": weights, "judged": rows}


def broken(ranks) -> str:
    """A weight that is not finite on the last rank only stops them all."""
    learner = Learner(network(0), Uneven(), TrainingConfig(steps=2), ranks=ranks)
    if ranks.rank == ranks.count - 1:
        with torch.no_grad():
            learner.model.decoder.norm.weight[0] = float("nan")
    try:
        list(learner.steps())
    except TrainingError as fault:
        return str(fault)
    return ""


def timed(ranks) -> int:
    """The steps of a run that a clock ends: all ranks must agree on the last."""
    config = TrainingConfig(minutes=0.4 / 60)
    return len(list(Learner(network(0), Uneven(), config, ranks=ranks).steps()))


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with ranks_of("cpu") as (ranks, device):
        assert device == "cpu"
        result = {name: trained(ranks, **settings) for name, settings in CASES.items()}
        result |= {"broken": broken(ranks), "timed": timed(ranks), "count": ranks.count}
        (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
