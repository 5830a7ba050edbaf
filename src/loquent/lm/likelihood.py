"""Whole texts under a model: logits of every position, and how likely a continuation is."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from loquent.engine.network import Network, Tokens
from loquent.errors import RequestError
from loquent.lm.answer import Likelihood

_STEP_TOKENS = 512  # tokens that one step reads


def teacher_forced(
    network: Network,
    ids: Sequence[Sequence[int]],
    sources: Sequence[Sequence[int]] | None = None,
) -> NDArray[np.float32]:
    """Logits (B, T, V) of every next token; `ids` is B rows of T tokens, behind B `sources`.

    Raises RequestError for rows of different lengths: pad none, ask for each length by itself.
    """
    lengths = {len(row) for row in ids}
    if len(lengths) > 1:
        raise RequestError(
            f"rows have different lengths ({min(lengths)} to {max(lengths)} tokens).",
            fix="Ask for each length by itself.",
        )
    made = np.empty((len(ids), *lengths, network.config.vocabulary), np.float32)
    for index, row in enumerate(ids):
        for start, part in read(network, row, 0, sources[index] if sources else None):
            made[index, start : start + len(part)] = part
    return made


def likelihood(
    network: Network,
    context: Sequence[int],
    continuation: Sequence[int],
    source: Sequence[int] | None = None,
) -> Likelihood:
    """How likely `continuation` is after `context`, both in ids; context holds one at least.

    `source` is what an encoder reads before.
    """
    whole = [*context, *continuation]
    logprob, greedy = 0.0, True
    for start, part in read(network, whole[:-1], len(context) - 1, source):
        wide = part.astype(np.float64)
        wide -= wide.max(axis=1, keepdims=True)
        targets = np.asarray(whole[start + 1 : start + 1 + len(part)])
        chosen = wide[np.arange(len(part)), targets]
        logprob += float(np.sum(chosen - np.log(np.exp(wide).sum(axis=1))))
        greedy = greedy and bool((chosen == 0.0).all())
    return Likelihood(logprob, len(continuation), greedy)


def read(
    network: Network, ids: Sequence[int], first: int, source: Sequence[int] | None = None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Read one text in steps; gives (position, logits (n, V)) from position `first` on."""
    memory = network.new_memory(1, len(ids))
    if source is not None:
        memory.attach(0, source)
    for start in range(0, len(ids), _STEP_TOKENS):
        part = np.asarray(ids[start : start + _STEP_TOKENS], np.int32)
        positions = np.arange(start, start + len(part), dtype=np.int32)
        wanted = positions >= first
        made = network.step(memory, Tokens(part, np.zeros_like(part), positions, wanted))
        if wanted.any():
            yield max(start, first), made
