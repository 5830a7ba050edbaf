"""How good a network is on held-out batches: counts of each example, never logits, are kept."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.nn import functional

from loquent.data.batch import Batch
from loquent.data.settings import Place
from loquent.model.model import Model
from loquent.training.cross_entropy import token_scores
from loquent.training.gradients import filled
from loquent.training.losses import (
    alignments,
    chosen_states,
    head_weights,
    learned_places,
    outputs,
    similarities,
    span_logits,
)
from loquent.training.preparing import rounded
from loquent.training.ranks import ALONE, Ranks
from loquent.training.settings import Precision
from loquent.training.speaking import speech_scores
from loquent.training.tensors import TensorBatch

# Of each row (B,): the sum of -log p, of how many, and how many of them were the likeliest.
Scores = tuple[Tensor, Tensor, Tensor]


class EpochSource(Protocol):
    """Batches of an epoch, each at its place."""

    def size(self, epoch: int) -> int:
        """How many batches an epoch has."""
        ...

    def at(self, place: Place) -> Batch:
        """The batch of a place."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What was counted of N examples; sums over any choice of them give that choice's figures."""

    examples: NDArray[np.int64]  # (N,) their numbers
    losses: NDArray[np.float64]  # (N,) sum of -log p over what was asked of each
    counts: NDArray[np.int64]  # (N,) how much was asked: tokens, labels or rows
    hits: NDArray[np.int64]  # (N,) how much of that was the likeliest choice
    seconds: float

    @property
    def count(self) -> int:
        """How much was asked in all."""
        return int(self.counts.sum())

    @property
    def loss(self) -> float:
        """Mean -log p (nats); NaN where nothing was asked."""
        return float(self.losses.sum() / self.count) if self.count else math.nan

    @property
    def perplexity(self) -> float:
        """exp(loss), infinite where that is beyond any float."""
        return math.exp(self.loss) if not self.loss > 709 else math.inf

    @property
    def accuracy(self) -> float:
        """The share of what was asked that the network would have said itself."""
        return float(self.hits.sum() / self.count) if self.count else math.nan

    def bits_per_byte(self, size_bytes: int) -> float:
        """The loss of text whose asked tokens are so many bytes: no tokenizer makes it look good.

        NaN where there are no bytes.
        """
        return float(self.losses.sum()) / math.log(2) / size_bytes if size_bytes else math.nan


def evaluate(
    model: Model,
    batches: EpochSource,
    *,
    device: str | torch.device = "cpu",
    ranks: Ranks = ALONE,
    limit: int = 0,
    rows: int = 0,
    precision: Precision = "f32",
) -> Evaluation:
    """Score the first epoch's batches, at most `limit` of them (0: all), `rows` at a time (0: all).

    Ranks share the rows and all get the whole result. The memory grows by 32 bytes an example.
    """
    began, training = time.perf_counter(), model.training
    device = torch.device(device)
    table = [torch.zeros(0, 4, dtype=torch.float64)]
    model.eval()
    try:
        with torch.no_grad(), rounded(precision, device):
            for part in _parts(model, batches, ranks, limit, rows):
                scores = SCORES[model.config.output](model, TensorBatch.of(part, device))
                columns = [torch.from_numpy(part.examples), *(each.cpu() for each in scores)]
                table.append(torch.stack([each.double() for each in columns], 1))
    finally:
        model.train(training)
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()  # else later changes of the weights would not be seen
    made = ranks.joined(torch.cat(table)).numpy()
    return Evaluation(
        examples=made[:, 0].astype(np.int64),
        losses=made[:, 1],
        counts=made[:, 2].astype(np.int64),
        hits=made[:, 3].astype(np.int64),
        seconds=time.perf_counter() - began,
    )


def _parts(
    model: Model, batches: EpochSource, ranks: Ranks, limit: int, rows: int
) -> Iterator[Batch]:
    size = batches.size(0)
    for index in range(min(size, limit) if limit else size):
        batch = batches.at(Place(0, index))
        shard = batch.shard(ranks.rank, ranks.count)
        if isinstance(model, FSDPModule):
            shard = filled(shard, batch, ranks.count)
        yield from shard.split(rows)


def _token_scores(model: Model, batch: TensorBatch) -> Scores:
    chosen, wanted = learned_places(batch)
    states = chosen_states(model, batch, chosen)
    losses, hits = token_scores(states, *head_weights(model), wanted)
    places = torch.arange(len(wanted), device=wanted.device) if chosen is None else chosen
    return _by_row(batch, places // batch.ids.shape[1], losses, torch.ones_like(hits), hits)


def _class_scores(model: Model, batch: TensorBatch) -> Scores:
    assert batch.labels is not None
    logits = outputs(model, batch)
    return _compared(batch, logits.reshape(len(batch.ids), -1, logits.shape[-1]), batch.labels)


def _span_scores(model: Model, batch: TensorBatch) -> Scores:
    assert batch.labels is not None
    return _compared(batch, span_logits(model, batch), batch.labels)


def _pair_scores(model: Model, batch: TensorBatch) -> Scores:
    scores = similarities(model, batch)
    partners = torch.arange(len(scores), device=scores.device)[:, None]
    there, count, hits = _compared(batch, scores[:, None], partners)
    back, _, _ = _compared(batch, scores.t()[:, None], partners)
    return (there + back) / 2, count, hits


def _label_scores(model: Model, batch: TensorBatch) -> Scores:
    assert batch.labels is not None
    logits, known = outputs(model, batch), batch.labels >= 0
    losses = functional.binary_cross_entropy_with_logits(
        logits, batch.labels.to(logits.dtype), reduction="none"
    )
    hits = ((logits > 0) == (batch.labels > 0)) & known
    return losses.where(known, 0.0).sum(1), known.sum(1), hits.sum(1)


def _alignment_scores(model: Model, batch: TensorBatch) -> Scores:
    """A row counts as said only as a whole: equal to the likeliest labels, repeats merged."""
    assert batch.labels is not None
    losses, counts, logs, lengths = alignments(model, batch)
    said = torch.zeros_like(counts)
    for row, ids in enumerate(logs.argmax(-1)):
        merged = ids[: int(lengths[row])].unique_consecutive()
        told = merged[merged != model.config.blank]
        said[row] = int(torch.equal(told, batch.labels[row, : counts[row]]))
    return losses, counts, said * counts


def _compared(batch: TensorBatch, logits: Tensor, wanted: Tensor) -> Scores:
    """Logits (B, L, C) beside wanted classes (B, L), -1 where nothing is asked."""
    known = wanted >= 0
    losses = functional.cross_entropy(
        logits.flatten(0, 1).double(), wanted.flatten(), ignore_index=-1, reduction="none"
    )
    hits = (logits.argmax(-1) == wanted) & known
    return losses.view_as(wanted).sum(1), known.sum(1), hits.sum(1)


def _by_row(
    batch: TensorBatch, rows: Tensor, losses: Tensor, counts: Tensor, hits: Tensor
) -> Scores:
    """Sums over the places of each row."""
    made = torch.zeros(3, len(batch.ids), dtype=torch.float64, device=rows.device)
    values = torch.stack([losses, counts.double(), hits.double()])
    made.index_add_(1, rows, values)
    return made[0], made[1], made[2]


SCORES: Mapping[str, Callable[[Model, TensorBatch], Scores]] = {
    "token": _token_scores,
    "masked": _token_scores,
    "class": _class_scores,
    "labels": _label_scores,
    "tags": _class_scores,
    "span": _span_scores,
    "embedding": _pair_scores,
    "ctc": _alignment_scores,
    "speech": speech_scores,
}
