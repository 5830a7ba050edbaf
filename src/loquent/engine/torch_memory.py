"""What a network in torch remembers of each row."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loquent.blocks.state import State
from loquent.engine.network import Heads, Source, Tokens, Values, check_sound
from loquent.errors import RequestError
from loquent.model.model import Model
from loquent.model.stack import Source as Seen

_FIRST_LENGTH = 64  # tokens that a new memory has room for; it doubles as needed


class TorchMemory:
    """The states of all layers, with room for the rows and tokens that were used so far."""

    def __init__(self, model: Model, rows: int, length: int) -> None:
        self._model = model
        self._rows = rows
        self._length = length
        self._room = (0, 0)
        self.states = model.new_states()
        self.lengths = np.zeros(rows, np.int64)  # tokens that each row holds
        self.source_lengths = np.zeros(rows, np.int64)
        self._sources = np.zeros(rows, np.int64)  # a number for each source that was encoded
        self._encoded = 0

    def clear(self, row: int) -> None:
        """Forget a row: its tokens are overwritten before they are seen again."""
        self.lengths[row] = self.source_lengths[row] = self._sources[row] = 0

    def copy(self, source: int, target: int) -> None:
        """Let row `target` continue from all that row `source` has seen."""
        self.reorder([target], [source])

    @torch.inference_mode()
    def reorder(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Let each of `rows` continue from the row at the same place in `sources`, all at once."""
        self.reserve(max([*rows, *sources]) + 1, 0)
        moved = self._sources[list(rows)] != self._sources[list(sources)]  # beams share a source
        for held in (self.lengths, self.source_lengths, self._sources):
            held[list(rows)] = held[list(sources)]
        device = device_of(self._model)
        targets, origins = (torch.tensor(each, device=device) for each in (rows, sources))
        other = torch.from_numpy(moved).to(device)
        for state in self.states:
            state.mixer.copy(origins, targets)
            if state.cross is not None and moved.any():
                state.cross.copy(origins[other], targets[other])

    @torch.inference_mode()
    def attach(self, row: int, source: Source) -> None:
        """Encode `source`, for the decoder of this row to attend to.

        Raises RequestError for a source that is empty, too long or of unknown ids.
        """
        encoder = self._model.encoder
        if encoder is None:
            raise RequestError("the decoder attends to no source.")
        if encoder.config.front is not None:
            features = np.asarray(source)
            check_sound(features, self._model.config)
            read = torch.from_numpy(features).to(device_of(self._model), dtype_of(self._model))
            count = encoder.config.front.states(features.shape[1])
        else:
            ids = np.asarray(source, np.int64)
            if not len(ids):
                raise RequestError("the source has no tokens.")
            check_ids(ids, encoder.table.num_embeddings)
            read, count = torch.from_numpy(ids).to(device_of(self._model)), len(ids)
        self.reserve(row + 1, 0)
        self._model.attach(self.states, row, read)
        self.source_lengths[row] = count
        self._encoded += 1
        self._sources[row] = self._encoded

    @torch.inference_mode()
    def align(self, row: int, ids: Sequence[int], heads: Heads) -> Values:
        """How much each head looks at each state of the row's source, (heads, T, M).

        Raises RequestError for unknown ids and heads, and for a row without a source.
        """
        decoder = self._model.decoder
        assert decoder is not None
        check_ids(np.asarray(ids, np.int64), self._model.config.vocabulary)
        for layer, head in heads:
            if not (0 <= layer < decoder.config.layers and 0 <= head < decoder.config.heads):
                raise RequestError(f"there is no head {head} in layer {layer}.")
        if not self.source_lengths[row]:
            raise RequestError("the row has no source.")
        self.reserve(row + 1, len(ids))
        device, watched = device_of(self._model), list[Tensor]()
        decoder(
            torch.tensor([list(ids)], device=device),
            starts=torch.zeros(1, dtype=torch.long, device=device),
            rows=slice(row, row + 1),
            states=self.states,
            source=Seen(
                torch.from_numpy(self.source_lengths[row : row + 1]).to(device), watched=watched
            ),
        )
        self.lengths[row] = len(ids)
        seen = torch.stack([watched[layer][0, head] for layer, head in heads])
        made: Values = seen.to("cpu").numpy()
        return made

    def kept(self) -> list[State]:
        """What the mixers remember now, for `undo`."""
        return [state.mixer.kept() for state in self.states]

    def undo(self, kept: list[State], tokens: Tokens) -> None:
        """Forget a step that did not end: each row goes on where it began in it."""
        for state, mixer in zip(self.states, kept, strict=True):
            state.mixer = mixer
        _, firsts = np.unique(tokens.rows, return_index=True)
        self.lengths[tokens.rows[firsts]] = tokens.positions[firsts]

    def reserve(self, rows: int, length: int) -> None:
        """Make room for rows and tokens, doubling what there is."""
        have_rows, have = self._room
        if rows <= have_rows and length <= have:
            return
        if rows > have_rows:
            have_rows = min(max(rows, 2 * have_rows), self._rows)
        if length > have:
            have = max(length, min(max(2 * have, _FIRST_LENGTH), self._length))
        self._room = have_rows, have
        for state in self.states:
            state.mixer.grow(have_rows, have)
            if state.cross is not None:
                state.cross.grow(have_rows, 0)


def check_ids(ids: NDArray[np.integer], count: int) -> None:
    """Raise RequestError for ids that are none of `count` tokens."""
    unknown = ids[(ids < 0) | (ids >= count)]
    if len(unknown):
        raise RequestError(f"the id {unknown[0]} is none of the {count} tokens.")


def device_of(model: Model) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device


def dtype_of(model: Model) -> torch.dtype:
    """In which precision they are."""
    return next(model.parameters()).dtype
