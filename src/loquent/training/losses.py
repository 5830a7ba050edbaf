"""Losses: each gives a sum, and of how many, so that micro-batches and ranks add up."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from loquent.errors import ConfigError
from loquent.model.model import Model
from loquent.training.cross_entropy import cross_entropy
from loquent.training.speaking import speech_loss
from loquent.training.tensors import TensorBatch

Loss = Callable[[Model, TensorBatch], tuple[Tensor, Tensor]]

_TEMPERATURE = 0.05  # of similarities (Gao et al. 2021, §3)


class SmoothLoss(Protocol):
    """A loss that can also spread a share `smoothing` of its targets over all classes."""

    def __call__(
        self, model: Model, batch: TensorBatch, smoothing: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """The sum over what is learned, and how many that is."""
        ...


def token_loss(model: Model, batch: TensorBatch, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """-log p of each wanted token; places without one cost nothing, not even in the head."""
    chosen, wanted = learned_places(batch)
    x = chosen_states(model, batch, chosen)
    weight, bias = head_weights(model)
    return cross_entropy(x, weight, bias, wanted, smoothing), torch.tensor(len(wanted))


def learned_places(batch: TensorBatch) -> tuple[Tensor | None, Tensor]:
    """Which of the places (B·T) have a wanted token, None for all, and those tokens (N,).

    They are the batch's targets, or its labels where words are masked.
    """
    wanted = batch.targets if batch.targets is not None else batch.labels
    assert wanted is not None
    flat = wanted.flatten()
    kept = flat >= 0
    if bool(kept.all()):
        return None, flat
    chosen = kept.nonzero()[:, 0]
    return chosen, flat.index_select(0, chosen)


def chosen_states(model: Model, batch: TensorBatch, chosen: Tensor | None) -> Tensor:
    """The states (N, D) at the chosen places as the head's matrix takes them."""
    x: Tensor = model.hidden(
        batch.ids,
        batch.lengths,
        batch.source,
        batch.source_lengths,
        batch.segments,
        batch.documents,
    )
    x = x.flatten(0, 1)
    x = x if chosen is None else x.index_select(0, chosen)
    assert model.head is not None
    return model.head.before(x)


def head_weights(model: Model) -> tuple[Tensor, Tensor | None]:
    """The matrix (V, D) and the bias (V,) that make logits of states."""
    assert model.head is not None
    weight: Tensor | None = model.head.weight
    if weight is None:
        stack = model.decoder or model.encoder
        assert stack is not None
        weight = stack.table.weight
    return weight, model.head.bias


def outputs(model: Model, batch: TensorBatch) -> Tensor:
    """What the model makes of a batch, in numbers wide enough for a loss."""
    made: Tensor = model(
        batch.ids,
        batch.lengths,
        batch.source,
        batch.source_lengths,
        batch.segments,
        batch.documents,
    )
    return made.float() if made.dtype in (torch.bfloat16, torch.float16) else made


def class_loss(model: Model, batch: TensorBatch, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """-log p of the label of each row (B, 1) or of each token (B, T)."""
    assert batch.labels is not None
    logits = outputs(model, batch)
    return _summed(logits.flatten(0, -2), batch.labels.flatten(), smoothing)


def label_loss(model: Model, batch: TensorBatch, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """-log p of each label (B, L) of 0 or 1 being as it is; smoothing draws them towards 1/2."""
    assert batch.labels is not None
    logits, labels = outputs(model, batch), batch.labels
    aims = labels.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    losses = functional.binary_cross_entropy_with_logits(logits, aims, reduction="none")
    return losses.where(labels >= 0, 0.0).sum(dtype=torch.float64), (labels >= 0).sum()


def span_loss(model: Model, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """-log p of the first and of the last token (B, 2) of the answer, each among the row's."""
    assert batch.labels is not None
    return _summed(span_logits(model, batch).flatten(0, 1), batch.labels.flatten(), 0.0)


def span_logits(model: Model, batch: TensorBatch) -> Tensor:
    """(B, 2, T): how likely a token is the first and the last one; padding cannot be."""
    logits = outputs(model, batch).transpose(1, 2)
    if batch.lengths is None:
        return logits
    places = torch.arange(logits.shape[-1], device=logits.device)
    return logits.masked_fill((places >= batch.lengths[:, None])[:, None], -torch.inf)


def pair_loss(model: Model, batch: TensorBatch, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """-log p of finding each text's partner among all of the batch, in both directions.

    van den Oord et al. 2018, with cosine similarities divided by a temperature (Gao et al. 2021).
    Micro-batches and ranks see fewer wrong partners than one big batch.
    """
    scores = similarities(model, batch)
    partners = torch.arange(len(scores), device=scores.device)
    there, count = _summed(scores, partners, smoothing)
    back, _ = _summed(scores.t(), partners, smoothing)
    return (there + back) / 2, count


def similarities(model: Model, batch: TensorBatch) -> Tensor:
    """(B, B): the first text of each pair (ids) beside each second one (source)."""
    assert batch.source is not None
    first: Tensor = model(batch.ids, batch.lengths)
    second: Tensor = model(batch.source, batch.source_lengths)
    scores = first @ second.t() / _TEMPERATURE
    return scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores


def alignment_loss(model: Model, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """-log p of the labels (B, L) over all alignments (CTC, Graves et al. 2006)."""
    losses, counts, _, _ = alignments(model, batch)
    return losses.sum(dtype=torch.float64), counts.sum()


def alignments(model: Model, batch: TensorBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each row (B,) its loss and labels, log p (B, T, V) and how many (B,) places are real."""
    assert batch.labels is not None
    logs = torch.log_softmax(outputs(model, batch), -1)
    lengths = model.state_lengths(batch.lengths)
    if lengths is None:
        lengths = torch.full((logs.shape[0],), logs.shape[1], device=logs.device)
    counts = (batch.labels >= 0).sum(1)
    losses = functional.ctc_loss(
        logs.transpose(0, 1),
        batch.labels.clamp(min=0),
        lengths,
        counts,
        blank=model.config.blank,
        reduction="none",
    )
    return losses, counts, logs, lengths


def _summed(logits: Tensor, wanted: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    losses = functional.cross_entropy(
        logits, wanted, ignore_index=-1, reduction="none", label_smoothing=smoothing
    )
    return losses.sum(dtype=torch.float64), (wanted >= 0).sum()


_SMOOTH: Mapping[str, SmoothLoss] = {
    "token": token_loss,
    "masked": token_loss,
    "class": class_loss,
    "labels": label_loss,
    "tags": class_loss,
    "embedding": pair_loss,
}

LOSSES: Mapping[str, Loss] = {
    **_SMOOTH,
    "span": span_loss,
    "ctc": alignment_loss,
    "speech": speech_loss,
}


def loss_of(output: str, smoothing: float = 0.0) -> Loss:
    """The loss of a ModelConfig.output; raises ConfigError where targets cannot be smoothed."""
    if not smoothing:
        return LOSSES[output]
    if output not in _SMOOTH:
        raise ConfigError(f"label_smoothing has no meaning for the output {output!r}.")
    return partial(_SMOOTH[output], smoothing=smoothing)
