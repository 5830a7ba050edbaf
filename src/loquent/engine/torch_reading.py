"""Whole texts read by a network in torch, those of about one length together."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from loquent.engine.network import Text, Values, check_texts
from loquent.model.heads import POOLED, pool
from loquent.model.model import Model

BATCH_TOKENS = 4096  # padding included


@torch.inference_mode()
def read_texts(model: Model, texts: Sequence[Text]) -> list[Values]:
    """As `engine.network.Reader.read`; raises RequestError for texts that cannot be read."""
    check_texts(texts, model.config)
    made: list[Values] = [np.zeros(0, np.float32)] * len(texts)
    for numbers in _batches(texts):
        for number, values in zip(
            numbers, _read(model, [texts[number] for number in numbers]), strict=True
        ):
            kind = np.float64 if values.dtype == torch.float64 else np.float32
            made[number] = values.to("cpu").to(torch.float64).numpy().astype(kind)
    return made


def _batches(texts: Sequence[Text]) -> Iterator[list[int]]:
    """Numbers of texts, the longest first."""
    order = sorted(range(len(texts)), key=lambda number: -len(texts[number].ids))
    while order:
        rows = max(BATCH_TOKENS // len(texts[order[0]].ids), 1)
        yield order[:rows]
        order = order[rows:]


def _read(model: Model, texts: Sequence[Text]) -> Iterator[Tensor]:
    config, head = model.config, model.head
    assert head is not None
    device = next(model.parameters()).device
    counts = [len(text.ids) for text in texts]
    ids = torch.zeros(len(texts), max(counts), dtype=torch.long)
    segments = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : counts[row]] = torch.as_tensor(text.ids)
        if text.segments is not None:
            segments[row, : counts[row]] = torch.as_tensor(text.segments)
    lengths = None if min(counts) == max(counts) else torch.tensor(counts, device=device)
    kinds = segments.to(device) if config.top.segments else None
    x = model.hidden(ids.to(device), lengths, segments=kinds)
    tied = model.words
    if config.output in POOLED:
        yield from head.values(pool(x, lengths, config.pooling), tied)
        return
    for row, text in enumerate(texts):
        states = x[row, : counts[row]]
        if text.wanted is not None and config.output == "masked":
            states = states[torch.as_tensor(list(text.wanted), dtype=torch.long, device=device)]
        yield head.values(states, tied)
