"""A network in torch behind the engine's protocol."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loquent.architecture import ModelConfig
from loquent.engine.network import Logits, Text, Tokens, Values
from loquent.engine.torch_memory import TorchMemory, check_ids, device_of, dtype_of
from loquent.engine.torch_reading import read_texts
from loquent.errors import ConfigError, RequestError, nearest
from loquent.model.model import Model, load
from loquent.model.stack import Source

Precision = Literal["float16", "bfloat16", "float32", "float64"]


def open_network(
    config: ModelConfig,
    weights: Mapping[str, NDArray[np.generic]],
    *,
    device: str = "cpu",
    precision: Precision = "float32",
) -> "TorchNetwork":
    """A network that computes in `precision` on a device of torch.

    Raises CheckpointError for weights that do not fit, RequestError for a device that cannot be
    used and ConfigError for an unknown precision.
    """
    if precision not in get_args(Precision):
        fix = nearest(precision, get_args(Precision))
        raise ConfigError(f"there is no precision {precision!r}.", fix=fix)
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).splitlines()[0]
        raise RequestError(f"the device {device!r} cannot be used: {reason}") from fault
    dtype: torch.dtype = getattr(torch, precision)
    return TorchNetwork(load(config, weights, device=place, dtype=dtype))


class TorchNetwork:
    """A decoder, alone or after an encoder; or a network that reads whole texts."""

    position_bytes = 0  # its rows are copied whole

    def __init__(self, model: Model) -> None:
        self.model = model
        self.config = model.config

    def new_memory(self, rows: int, length: int) -> TorchMemory:
        """An empty memory for `rows` sequences of up to `length` tokens.

        Raises ConfigError for a network that cannot read token by token.
        """
        if self.config.decoder is None or not self.config.decoder.causal:
            raise ConfigError("only a causal decoder reads token by token.")
        if self.config.output != "token":
            raise ConfigError(f"a network whose output is {self.config.output!r} writes no tokens.")
        return TorchMemory(self.model, rows, length)

    def read(self, texts: Sequence[Text]) -> list[Values]:
        """What the network tells of each text; raises RequestError where it cannot be read."""
        return read_texts(self.model, texts)

    @torch.inference_mode()
    def step(self, memory: TorchMemory, tokens: Tokens) -> Logits:
        """Read the tokens into the memory; logits (wanted, V) for those that ask for them.

        Raises RequestError for ids, rows and positions that are out of range, before any is read.
        A row of a stack of attention may go back to an earlier position, any other to its start:
        what it held from there on is forgotten. A step that fails leaves the memory as if it had
        not been.
        """
        groups = list(_groups(tokens.rows))
        for places in (places for group in groups for places in group):
            self._check(memory, tokens, places)
        if len(tokens.ids):
            memory.reserve(int(tokens.rows.max()) + 1, int(tokens.positions.max()) + 1)
        kept = memory.kept()
        try:
            return self._passes(memory, tokens, groups)
        except BaseException:
            memory.undo(kept, tokens)
            raise

    def _passes(
        self, memory: TorchMemory, tokens: Tokens, groups: list[list[NDArray[np.intp]]]
    ) -> Logits:
        """Read the tokens, one group of rows after the other; logits (wanted, V)."""
        order = np.cumsum(tokens.wanted) - 1  # place of each wanted token in the answer
        double = dtype_of(self.model) == torch.float64
        shape = (int(tokens.wanted.sum()), self.config.vocabulary)
        out: Logits = np.empty(shape, np.float64 if double else np.float32)
        for group in groups:
            made, places = self._pass(memory, tokens, group)
            out[order[places]] = made.to("cpu", torch.float64 if double else torch.float32).numpy()
        return out

    def _check(self, memory: TorchMemory, tokens: Tokens, places: NDArray[np.intp]) -> None:
        """Refuse the tokens of one row where they cannot be read."""
        decoder = self.model.decoder
        assert decoder is not None
        check_ids(tokens.ids[places], self.config.vocabulary)
        row, positions = int(tokens.rows[places[0]]), tokens.positions[places]
        if not 0 <= row < len(memory.lengths):
            raise RequestError(f"row {row} is not one of the memory's {len(memory.lengths)}.")
        first, last, held = int(positions[0]), int(positions[-1]), int(memory.lengths[row])
        if first < 0:
            raise RequestError("a position is negative.")
        if first > held:
            raise RequestError(f"row {row} has {held} tokens and cannot go on at position {first}.")
        if 0 < first < held and decoder.config.mixer != "attention":
            raise RequestError(
                f"row {row} has {held} tokens and cannot go back to position {first}: a "
                f"{decoder.config.mixer!r} network keeps only what came of all of them."
            )
        if (np.diff(positions) != 1).any():
            raise RequestError(f"the tokens of row {row} do not stand one behind the other.")
        if decoder.positions is not None and last >= decoder.positions.num_embeddings:
            limit = decoder.positions.num_embeddings
            raise RequestError(f"position {last} is beyond the last of {limit}.")
        if self.config.encoder is not None and not memory.source_lengths[row]:
            raise RequestError(f"row {row} has no source: attach one first.")

    def _pass(
        self, memory: TorchMemory, tokens: Tokens, group: list[NDArray[np.intp]]
    ) -> tuple[Tensor, NDArray[np.intp]]:
        """One batch: for each row the places of its tokens in the flat list."""
        device = device_of(self.model)
        counts = np.array([len(places) for places in group])
        ids = np.zeros((len(group), counts.max()), np.int64)
        for index, places in enumerate(group):
            ids[index, : len(places)] = tokens.ids[places]
        firsts = np.array([places[0] for places in group])
        starts = tokens.positions[firsts].astype(np.int64)
        rows = tokens.rows[firsts].astype(np.int64)
        memory.reserve(int(rows.max()) + 1, int(starts.max() + counts.max()))  # padding included
        seen = None
        if self.config.encoder is not None:
            seen = Source(torch.from_numpy(memory.source_lengths[rows]).to(device))
        assert self.model.decoder is not None
        x: Tensor = self.model.decoder(
            torch.from_numpy(ids).to(device),
            torch.from_numpy(counts).to(device) if (counts != counts[0]).any() else None,
            starts=torch.from_numpy(starts).to(device),
            rows=_run(rows) or torch.from_numpy(rows).to(device),
            states=memory.states,
            source=seen,
        )
        memory.lengths[rows] = starts + counts
        flat = np.concatenate(group)
        wanted = tokens.wanted[flat]
        batch = torch.from_numpy(np.repeat(np.arange(len(group)), counts)[wanted])
        steps = torch.from_numpy(np.concatenate([np.arange(count) for count in counts])[wanted])
        return self.model.logits(x[batch, steps]), flat[wanted]


def _groups(rows: NDArray[np.int32]) -> Iterator[list[NDArray[np.intp]]]:
    """The places of each row's tokens, rows with about as many tokens together."""
    if not len(rows):
        return
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
