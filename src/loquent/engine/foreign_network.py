"""A causal model of another library behind our protocol: right for any, fast for none."""

import inspect
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from loquent.architecture import ModelConfig
from loquent.engine.network import Heads, Logits, Source, Tokens, Values
from loquent.errors import RequestError


@dataclass
class _Row:
    ids: list[int] = field(default_factory=list)  # all that the row has read
    cache: Any = None  # what the model remembers of it, in a form of its own


class ForeignMemory:
    """The model's own cache of each row."""

    def __init__(self, rows: int) -> None:
        self.rows = [_Row() for _ in range(rows)]

    def clear(self, row: int) -> None:
        """Forget a row, so that another sequence may take it."""
        self.rows[row] = _Row()

    def copy(self, source: int, target: int) -> None:
        """Let row `target` continue from all that row `source` has seen."""
        self.rows[target] = deepcopy(self.rows[source])

    def reorder(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Let each of `rows` continue from the row at the same place in `sources`, all at once."""
        moved = [deepcopy(self.rows[source]) for source in sources]
        for row, new in zip(rows, moved, strict=True):
            self.rows[row] = new

    def align(self, row: int, ids: Sequence[int], heads: Heads) -> Values:
        """Raises RequestError: what these networks look at is not told."""
        raise RequestError("a network of the transformers library does not tell what it looks at.")

    def attach(self, row: int, source: Source) -> None:
        """Refuse: such a model is run as a decoder only."""
        raise RequestError("this model has no encoder to read a source.")


CACHES = ("cache", "past_key_values")  # what transformers calls it since 5.24, and did before


class ForeignNetwork:
    """A model whose call takes `input_ids`, a cache and `use_cache`, as transformers' do.

    One that takes or returns no cache by a known name reads each row from its start at every step.
    """

    position_bytes = 0  # what theirs remember is not known

    def __init__(self, model: nn.Module, config: ModelConfig) -> None:
        self.model = model
        self.config = config
        takes = inspect.signature(model.forward).parameters
        self.cache = next((name for name in CACHES if name in takes), None)
        # A state-space model of theirs continues a state by one id only; more would start anew.
        self.stateful = bool(getattr(model, "_is_stateful", False))

    def new_memory(self, rows: int, length: int) -> ForeignMemory:
        """An empty memory for `rows` sequences; it grows with them."""
        return ForeignMemory(rows)

    def step(self, memory: ForeignMemory, tokens: Tokens) -> Logits:
        """Read the tokens into the memory; logits (wanted, V) for those that ask for them."""
        made = np.zeros((len(tokens.ids), self.config.vocabulary), np.float32)
        for row in np.unique(tokens.rows):
            places = np.flatnonzero(tokens.rows == row)
            start = int(tokens.positions[places[0]])
            made[places] = self._read(memory.rows[row], start, tokens.ids[places].tolist())
        return made[tokens.wanted]

    @torch.inference_mode()
    def _read(self, row: _Row, start: int, ids: list[int]) -> Logits:
        if start != len(row.ids):  # an interrupted step: what its cache holds is not known
            row.ids, row.cache = row.ids[:start], None
        row.ids += ids
        unread = ids if row.cache is not None else row.ids
        at_once = len(unread) if row.cache is None or not self.stateful else 1
        logits = np.concatenate(
            [self._call(row, unread[at : at + at_once]) for at in range(0, len(unread), at_once)]
        )
        return logits[-len(ids) :, : self.config.vocabulary]

    def _call(self, row: _Row, ids: list[int]) -> Logits:
        read = torch.tensor([ids], device=next(self.model.parameters()).device)
        if self.cache is None:
            answer = self.model(input_ids=read)
        else:
            answer = self.model(input_ids=read, use_cache=True, **{self.cache: row.cache})
            row.cache = getattr(answer, self.cache, None)
        logits: Logits = answer.logits[0].float().cpu().numpy()
        return logits
