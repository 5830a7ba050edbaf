"""Whole texts read by a network in torch, those of about one length together."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from loquent.architecture import POOLED
from loquent.engine.network import Text, Values, check_texts
from loquent.model.heads import pool
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
    order = sorted(range(len(texts)), key=lambda number: -_length(texts[number]))
    while order:
        rows = max(BATCH_TOKENS // _length(texts[order[0]]), 1)
        yield order[:rows]
        order = order[rows:]


def _read(model: Model, texts: Sequence[Text]) -> Iterator[Tensor]:
    config, head = model.config, model.head
    assert head is not None
    device = next(model.parameters()).device
    counts = [_length(text) for text in texts]
    lengths = None if min(counts) == max(counts) else torch.tensor(counts, device=device)
    x = _states(model, texts, lengths)
    lengths = model.state_lengths(lengths)
    tied = model.words
    if config.output in POOLED:
        yield from head.values(pool(x, lengths, config.pooling), tied)
        return
    for row, text in enumerate(texts):
        states = x[row] if lengths is None else x[row, : int(lengths[row])]
        if text.wanted is not None and config.output == "masked":
            states = states[torch.as_tensor(list(text.wanted), dtype=torch.long, device=device)]
        yield head.values(states, tied)


def _states(model: Model, texts: Sequence[Text], lengths: Tensor | None) -> Tensor:
    """The last states (B, T, D) of texts or sounds."""
    parameter = next(model.parameters())
    longest = max(map(_length, texts))
    if model.config.reads_sound:
        bins = model.config.top.front.features if model.config.top.front else 0
        sounds = torch.zeros(len(texts), bins, longest, dtype=parameter.dtype)
        for row, text in enumerate(texts):
            sounds[row, :, : _length(text)] = torch.as_tensor(text.features)
        return model.hidden(sounds.to(parameter.device), lengths)
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    segments = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = torch.as_tensor(text.ids)
        if text.segments is not None:
            segments[row, : len(text.ids)] = torch.as_tensor(text.segments)
    kinds = segments.to(parameter.device) if model.config.top.segments else None
    return model.hidden(ids.to(parameter.device), lengths, segments=kinds)


def _length(text: Text) -> int:
    """Its tokens, or the frames of a sound."""
    return len(text.ids) if text.features is None else text.features.shape[1]
