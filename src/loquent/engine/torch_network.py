"""A network in torch behind the engine's protocol."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loquent.architecture import ModelConfig
from loquent.engine.network import Logits, Tokens
from loquent.errors import RequestError
from loquent.model.model import Model, load
from loquent.model.stack import Source

_FIRST_LENGTH = 64  # tokens that a new memory has room for; it doubles as needed


def open_network(
    config: ModelConfig, weights: Mapping[str, NDArray[np.generic]], *, device: str = "cpu"
) -> "TorchNetwork":
    """A network in single precision; raises CheckpointError for weights that do not fit."""
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0]
        raise RequestError(f"the device {device!r} cannot be used: {reason}") from fault
    return TorchNetwork(load(config, weights, device=place))


class TorchMemory:
    """The states of all layers, with room for the rows and tokens that were used so far."""

    def __init__(self, model: Model, rows: int, length: int) -> None:
        self._model = model
        self._rows = rows
        self._length = length
        self._room = (0, 0)
        self.states = model.new_states()
        self.source_lengths = torch.zeros(rows, dtype=torch.long, device=_device(model))

    def clear(self, row: int) -> None:
        """Forget a row: its tokens are overwritten before they are seen again."""
        self.source_lengths[row] = 0

    def copy(self, source: int, target: int) -> None:
        """Let row `target` continue from all that row `source` has seen."""
        self.reorder([target], [source])

    @torch.inference_mode()
    def reorder(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Let each of `rows` continue from the row at the same place in `sources`, all at once."""
        self.reserve(max([*rows, *sources]) + 1, 0)
        device = _device(self._model)
        targets, origins = (torch.tensor(each, device=device) for each in (rows, sources))
        self.source_lengths[targets] = self.source_lengths[origins]
        for state in self.states:
            state.mixer.copy(origins, targets)
            if state.cross is not None:
                state.cross.copy(origins, targets)

    @torch.inference_mode()
    def attach(self, row: int, source: Sequence[int]) -> None:
        """Encode the ids of `source`, for the decoder of this row to attend to."""
        ids = torch.tensor(source, device=_device(self._model))
        self._model.attach(self.states, row, ids)
        self.source_lengths[row] = len(source)

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


class TorchNetwork:
    """A decoder, alone or after an encoder."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.config = model.config

    def new_memory(self, rows: int, length: int) -> TorchMemory:
        """An empty memory for `rows` sequences of up to `length` tokens."""
        return TorchMemory(self.model, rows, length)

    @torch.inference_mode()
    def step(self, memory: TorchMemory, tokens: Tokens) -> Logits:
        """Read the tokens into the memory; logits (wanted, V) for those that ask for them."""
        order = np.cumsum(tokens.wanted) - 1  # place of each wanted token in the answer
        out: Logits | None = None
        for group in _groups(tokens.rows):
            made, places = self._pass(memory, tokens, group)
            if out is None:
                shape = (int(tokens.wanted.sum()), self.config.vocabulary)
                out = np.empty(shape, made.dtype)
            out[order[places]] = made
        assert out is not None
        return out

    def _pass(
        self, memory: TorchMemory, tokens: Tokens, group: list[NDArray[np.intp]]
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """One batch: for each row the places of its tokens in the flat list."""
        device = _device(self.model)
        counts = np.array([len(places) for places in group])
        ids = np.zeros((len(group), counts.max()), np.int64)
        for index, places in enumerate(group):
            ids[index, : len(places)] = tokens.ids[places]
        firsts = np.array([places[0] for places in group])
        starts = tokens.positions[firsts].astype(np.int64)
        rows = tokens.rows[firsts].astype(np.int64)
        memory.reserve(int(rows.max()) + 1, int(starts.max() + counts.max()))
        seen = None
        if self.config.encoder is not None:
            seen = Source(memory.source_lengths[torch.from_numpy(rows)])
        assert self.model.decoder is not None
        x: Tensor = self.model.decoder(
            torch.from_numpy(ids).to(device),
            torch.from_numpy(counts).to(device),
            starts=torch.from_numpy(starts).to(device),
            rows=_run(rows) or torch.from_numpy(rows).to(device),
            states=memory.states,
            source=seen,
        )
        flat = np.concatenate(group)
        wanted = tokens.wanted[flat]
        batch = torch.from_numpy(np.repeat(np.arange(len(group)), counts)[wanted])
        steps = torch.from_numpy(np.concatenate([np.arange(count) for count in counts])[wanted])
        return self.model.logits(x[batch, steps]).cpu().numpy(), flat[wanted]


def _groups(rows: NDArray[np.int32]) -> Iterator[list[NDArray[np.intp]]]:
    """The places of each row's tokens, rows with about as many tokens together."""
    order = np.argsort(rows, kind="stable")
    places = np.split(order, np.flatnonzero(np.diff(rows[order])) + 1)
    by_size: dict[int, list[NDArray[np.intp]]] = {}
    for each in places:
        by_size.setdefault((len(each) - 1).bit_length(), []).append(each)
    yield from by_size.values()


def _run(rows: NDArray[np.int64]) -> slice | None:
    """A slice where the rows stand one behind the other: their state is then not copied."""
    first, count = int(rows[0]), len(rows)
    return slice(first, first + count) if (rows == first + np.arange(count)).all() else None


def _device(model: Model) -> torch.device:
    return next(model.parameters()).device
