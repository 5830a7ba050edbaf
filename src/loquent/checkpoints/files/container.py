"""Named tensors of a file: shapes at once, values only when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Kind:
    """How a type of tensor is stored: blocks of values in blocks of bytes."""

    name: str
    values: int  # in one block
    bytes: int  # of one block
    decode: Callable[[Bytes], Array]  # (blocks, bytes) -> (blocks, values)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file; its bytes stay in the file until they are read."""

    name: str
    shape: tuple[int, ...]
    kind: Kind
    raw: Bytes  # a view of the memory-mapped file
    where: str  # file and first byte, for errors

    def read(self) -> Array:
        """All values: F64, F32, F16 and whole numbers as stored, everything else as float32."""
        blocks = self.raw.reshape(-1, self.kind.bytes)
        return self.kind.decode(blocks).reshape(self.shape)

    def rows(self, start: int, stop: int) -> Array:
        """Values [start:stop] along the first dimension, without reading the others."""
        width = prod(self.shape[1:]) // self.kind.values * self.kind.bytes
        blocks = self.raw[start * width : stop * width].reshape(-1, self.kind.bytes)
        return self.kind.decode(blocks).reshape(stop - start, *self.shape[1:])


@dataclass(frozen=True)
class Container:
    """The tensors of one file, or of several that belong together, and what the file says of them.

    Iterates over names; indexing reads the values of one.
    """

    tensors: Mapping[str, Tensor]
    paths: tuple[Path, ...]
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of the file."""
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def __getitem__(self, name: str) -> Array:
        """The values of one tensor."""
        return self.tensors[name].read()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one tensor, without reading it."""
        return self.tensors[name].shape
