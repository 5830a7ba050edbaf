"""The native runtime behind the engine's protocol."""

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.engine.network import Heads, Logits, Source, Text, Tokens, Values, check_texts
from loquent.errors import CheckpointError, ConfigError, RequestError, UserError
from loquent.native import (
    FileError,
    Memory,
    ModelSettings,
    Network,
    PackedFile,
    model_settings,
    thread_count,
)
from loquent.settings import read


class NativeMemory:
    """Keys and values in blocks that rows share."""

    def __init__(self, network: Network, rows: int, length: int) -> None:
        self.memory: Memory = network.new_memory(rows)
        self.length = length
        self._network = network

    def clear(self, row: int) -> None:
        """Forget a row, so that another sequence may take it."""
        self.memory.clear(row)

    def copy(self, source: int, target: int) -> None:
        """Let row `target` continue from all that row `source` has seen."""
        self.memory.reorder([target], [source])

    def reorder(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Let each of `rows` continue from the row at the same place in `sources`, all at once."""
        self.memory.reorder(list(rows), list(sources))

    def attach(self, row: int, source: Source) -> None:
        """Encode `source`, for the decoder of this row to attend to.

        Raises RequestError for ids that the encoder does not know, for a sound that it cannot read,
        and for too many.
        """
        try:
            if isinstance(source, np.ndarray):
                self._network.attach_sound(self.memory, row, _by_frame(source))
            else:
                self._network.attach(self.memory, row, np.asarray(source, np.int32))
        except ValueError as fault:
            raise RequestError(str(fault)) from fault

    def align(self, row: int, ids: Sequence[int], heads: Heads) -> Values:
        """How much each head looks at each state of the row's source, (heads, T, M).

        Raises RequestError for unknown ids and heads, and for a row without a source.
        """
        layers, places = [layer for layer, _ in heads], [head for _, head in heads]
        try:
            return self._network.align(self.memory, row, np.asarray(ids, np.int32), layers, places)
        except ValueError as fault:
            raise RequestError(str(fault)) from fault


class NativeNetwork:
    """A packed model, mapped into memory and executed in C++ without torch."""

    def __init__(self, path: Path, *, threads: int | None = None, isa: str | None = None) -> None:
        """`isa` and `threads` default to `LOQUENT_ISA` and `LOQUENT_THREADS`, or the best.

        Raises CheckpointError that names the place for a file that is damaged or of another
        version, and ConfigError for an instruction set that this machine does not have.
        """
        isa = os.environ.get("LOQUENT_ISA", "") if isa is None else isa
        try:
            self._file = PackedFile(os.fspath(path))
            self.config, self.bits, settings = _description(self._file.description)
            count = threads or thread_count()
            self.network = Network(self._file, settings, count, isa)
        except FileError as fault:
            raise CheckpointError(str(fault), where=str(path), fix="Pack it anew.") from fault
        except ValueError as fault:
            raise ConfigError(str(fault), where="LOQUENT_ISA") from fault

    @property
    def bytes(self) -> int:
        """Size of the packed file, which is mapped and so shared by all processes that open it."""
        return self._file.bytes

    @property
    def position_bytes(self) -> int:
        """Size of the keys and values of one token: rows share them, and can go back to any."""
        return self.network.position_bytes

    def new_memory(self, rows: int, length: int) -> NativeMemory:
        """An empty memory for `rows` sequences of up to `length` tokens.

        Raises ConfigError for a network that writes no tokens.
        """
        if self.config.decoder is None or self.config.output != "token":
            raise ConfigError(f"a network whose output is {self.config.output!r} writes no tokens.")
        return NativeMemory(self.network, rows, length)

    def step(self, memory: NativeMemory, tokens: Tokens) -> Logits:
        """Read the tokens into the memory; logits (wanted, V) for those that ask for them.

        Raises RequestError for ids, rows and positions that are out of range.
        """
        try:
            return self.network.step(
                memory.memory, tokens.ids, tokens.rows, tokens.positions, tokens.wanted
            )
        except ValueError as fault:
            raise RequestError(str(fault)) from fault

    def read(self, texts: Sequence[Text]) -> list[Values]:
        """What the network tells of each text; raises RequestError where it cannot be read.

        All are read in one call as one flat list of tokens, without padding.
        """
        check_texts(texts, self.config)
        if not texts:
            return []
        if self.config.reads_sound:
            return self._hear(
                [_by_frame(text.features) for text in texts if text.features is not None]
            )
        counts = np.array([len(text.ids) for text in texts], np.int32)
        kinds: list[Sequence[int]] = []
        if any(text.segments is not None for text in texts):
            kinds = [text.segments or [0] * len(text.ids) for text in texts]
        masked = self.config.output == "masked"
        places = [_places(text, masked) for text in texts]
        wanted = np.zeros(int(counts.sum()) if masked else 0, np.bool_)
        if masked:
            starts = np.cumsum(counts) - counts
            wanted[np.concatenate([each + at for each, at in zip(places, starts, strict=True)])] = (
                True
            )
        values = self.network.read(
            _flat([text.ids for text in texts]), counts, _flat(kinds), wanted
        )
        if self.config.output in ("class", "labels", "embedding"):
            return list(values)
        parts = np.split(values, np.cumsum([len(each) for each in places])[:-1])
        return [
            part[np.searchsorted(each, text.wanted)] if masked and text.wanted is not None else part
            for text, each, part in zip(texts, places, parts, strict=True)
        ]

    def encode(self, source: Source) -> NDArray[np.float32]:
        """The encoder's output (T, D) for the ids of one sequence, or for features of a sound."""
        if isinstance(source, np.ndarray):
            return self.network.encode_sound(_by_frame(source))
        return self.network.encode(np.asarray(source, np.int32))

    def _hear(self, sounds: Sequence[Values]) -> list[Values]:
        """What the network tells of each sound, (frames, F)."""
        front = self.config.encoder.front if self.config.encoder is not None else None
        assert front is not None
        counts = np.array([len(each) for each in sounds], np.int32)
        values = self.network.read_sounds(np.concatenate(sounds), counts)
        if self.config.output in ("class", "labels", "embedding"):
            return list(values)
        return np.split(values, np.cumsum([front.states(int(each)) for each in counts])[:-1])


def _by_frame(features: Values) -> Values:
    """Features (F, frames) as the runtime reads them, frame by frame."""
    return np.ascontiguousarray(features.T, np.float32)


def _flat(parts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    return np.fromiter(chain.from_iterable(parts), np.int32)


def _places(text: Text, masked: bool) -> NDArray[np.intp]:
    """The places of a text that are told of, each once and in order."""
    every = text.wanted is None or not masked
    return np.arange(len(text.ids)) if every else np.unique(np.array(text.wanted, np.intp))


# What reading a description raises that is damaged, or asks for sizes that there are not.
_UNREADABLE = (msgspec.DecodeError, KeyError, TypeError, ValueError, ArithmeticError, UserError)


def _description(text: bytes) -> tuple[ModelConfig, int, ModelSettings]:
    try:
        values = msgspec.json.decode(text, type=dict)
        config = read(ModelConfig, values["config"], "config")
        return config, int(values["bits"]), model_settings(config)
    except _UNREADABLE as fault:
        raise FileError(f"byte 64: the description cannot be read: {fault}") from fault
