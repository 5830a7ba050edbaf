"""Judging a network on held-out examples: the counts of each example under every metric."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loquent.data.order import Batches, Place
from loquent.metrics import METRICS, Metric, Score, in_language, scored
from loquent.model.model import Model
from loquent.training.evaluate import evaluate
from loquent.training.losses import outputs
from loquent.training.ranks import ALONE, Ranks
from loquent.training.tensors import TensorBatch

Counts = NDArray[np.float64]  # (N, C): of each of N examples

_NONE = -1  # a label that an example does not have
_ROWS = 64  # judged at a time


def judged(
    model: Model,
    batches: Batches,
    metrics: Sequence[str],
    *,
    device: str,
    ranks: Ranks = ALONE,
    limit: int = 0,
) -> dict[str, Counts]:
    """Counts under each metric that needs no written text, over the first epoch.

    Of its batches only the first `limit` are judged; 0: all.
    """
    found = evaluate(model, batches, device=device, ranks=ranks, limit=limit, rows=_ROWS)
    likelihood = np.stack([found.losses, found.counts.astype(np.float64)], axis=1)
    right = np.stack([found.hits, found.counts], axis=1).astype(np.float64)
    made = {name: likelihood for name in metrics if METRICS[name].reads == "likelihood"}
    if "accuracy" in metrics:
        made["accuracy"] = right
    others = [
        METRICS[name] for name in metrics if METRICS[name].reads == "classes" and name not in made
    ]
    return made | (_by_class(model, batches, others, device, limit) if others else {})


def values(counts: Mapping[str, Counts], language: str) -> dict[str, float]:
    """The value of each metric over all examples, in the form that fits texts of a language."""
    return {
        name: in_language(name, language).score(each.sum(axis=0)) for name, each in counts.items()
    }


def scores(counts: Mapping[str, Counts], language: str) -> dict[str, Score]:
    """The same with their intervals."""
    return {name: scored(in_language(name, language), each) for name, each in counts.items()}


@contextmanager
def judging(model: Model) -> Iterator[None]:
    """Without dropout and gradients; what was before comes back."""
    before = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(before)


def _by_class(
    model: Model, batches: Batches, metrics: Sequence[Metric], device: str, limit: int
) -> dict[str, Counts]:
    """Counts of metrics that are told the classes of each example."""
    rows: dict[str, list[Sequence[float] | Counts]] = {metric.name: [] for metric in metrics}
    classes = model.config.outputs
    with judging(model):
        size = batches.size(0)
        for index in range(min(size, limit) if limit else size):
            for part in batches.at(Place(0, index)).split(_ROWS):
                for told, meant in _classes(model, TensorBatch.of(part, device)):
                    for metric in metrics:
                        rows[metric.name].append(metric.count(told, meant, classes))
    return {name: np.array(each, np.float64) for name, each in rows.items()}


def _classes(
    model: Model, batch: TensorBatch
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The classes told and meant for each example; labels that it does not have are -1."""
    assert batch.labels is not None
    logits = outputs(model, batch)
    if model.config.output == "labels":
        numbers = torch.arange(logits.shape[1], device=logits.device)
        told, meant = (numbers.where(each > 0, _NONE) for each in (logits, batch.labels))
        known = torch.ones_like(meant, dtype=torch.bool)
    else:
        told, meant = logits.argmax(-1).view_as(batch.labels), batch.labels
        known = meant >= 0
    for said, wanted, kept in zip(told, meant, known, strict=True):
        yield _array(said[kept]), _array(wanted[kept])


def _array(tensor: Tensor) -> NDArray[np.int64]:
    made: NDArray[np.int64] = tensor.cpu().numpy()
    return made
