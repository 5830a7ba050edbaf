"""A network of a few lines whose every logit depends on all that its row has read."""

import zlib
from collections.abc import Sequence

import numpy as np
import pytest

from loquent.architecture import ModelConfig, StackConfig
from loquent.engine.network import Logits, Tokens

VOCABULARY = 50
LENGTH = 64


class HashMemory:
    """The ids of each row; a wrong row or position shows at once."""

    def __init__(self, rows: int, length: int) -> None:
        self.ids: list[list[int]] = [[] for _ in range(rows)]
        self.sources: list[tuple[int, ...]] = [()] * rows
        self.length = length

    def clear(self, row: int) -> None:
        self.ids[row], self.sources[row] = [], ()

    def copy(self, source: int, target: int) -> None:
        self.reorder([target], [source])

    def reorder(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        ids = [list(self.ids[source]) for source in sources]
        read = [self.sources[source] for source in sources]
        for row, new, source in zip(rows, ids, read, strict=True):
            self.ids[row], self.sources[row] = new, source

    def attach(self, row: int, source: Sequence[int]) -> None:
        self.sources[row] = tuple(source)


class HashNetwork:
    """Logits drawn from a hash of everything read, or of the last token only."""

    def __init__(
        self, *, encoder: bool = False, broken: int | None = None,
        position_bytes: int = 0, forgetful: bool = False,
    ) -> None:  # fmt: skip
        stack = StackConfig(layers=1, width=4, length=LENGTH, cross=encoder)
        first = StackConfig(layers=1, width=4, length=LENGTH, causal=False) if encoder else None
        self.config = ModelConfig(vocabulary=VOCABULARY, decoder=stack, encoder=first)
        self.position_bytes = position_bytes
        self.forgetful = forgetful  # so that its texts repeat themselves
        self.broken = broken  # a token after which no logit is a number
        self.steps: list[Tokens] = []

    def new_memory(self, rows: int, length: int) -> HashMemory:
        return HashMemory(rows, length)

    def step(self, memory: HashMemory, tokens: Tokens) -> Logits:
        self.steps.append(tokens)
        out = []
        for token, row, place, wanted in zip(
            tokens.ids, tokens.rows, tokens.positions, tokens.wanted, strict=True
        ):
            if self.position_bytes:
                del memory.ids[row][place:]
            assert len(memory.ids[row]) == place < memory.length, "a row is read in order"
            memory.ids[row].append(int(token))
            if wanted:
                out.append(self.logits(memory.ids[row], memory.sources[row]))
        return np.array(out, np.float32).reshape(-1, VOCABULARY)

    def logits(self, ids: Sequence[int], source: Sequence[int] = ()) -> np.ndarray:
        if ids[-1] == self.broken:
            return np.full(VOCABULARY, np.nan, np.float32)
        seen = ids[-1:] if self.forgetful else ids
        seed = zlib.crc32(repr((list(seen), list(source))).encode())
        return np.random.default_rng(seed).normal(size=VOCABULARY).astype(np.float32) * 3


@pytest.fixture
def network() -> HashNetwork:
    return HashNetwork()


@pytest.fixture(scope="session")
def networks() -> type[HashNetwork]:
    return HashNetwork
