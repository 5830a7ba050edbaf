"""The one face of every container: named tensors that stay in their file until they are read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from loquent.errors import CheckpointError

Bytes = NDArray[np.uint8]

CHUNK_VALUES = 1 << 16  # decoded at a time: 256 kB of float32 stay in a core's second-level cache


@dataclass(frozen=True, eq=False)
class MappedFile:
    """A file in memory that the system reads as it is touched."""

    path: Path
    bytes: Bytes  # (length of the file,) read-only

    @classmethod
    def open(cls, path: Path) -> "MappedFile":
        """Map the file; raises CheckpointError where it is missing, empty or not a plain file."""
        try:
            if not path.is_file():  # a named pipe or device would block or never end
                what = "is not a plain file." if path.exists() else "does not exist."
                raise CheckpointError(what, where=str(path))
            if path.stat().st_size == 0:
                raise CheckpointError("is empty (0 bytes).", where=str(path), fix="Fetch it again.")
            return cls(path, np.asarray(np.memmap(path, np.uint8, "r")))
        except (OSError, ValueError) as fault:
            raise CheckpointError(f"cannot be read: {fault}.", where=str(path)[:300]) from fault


@dataclass(frozen=True)
class Storage:
    """How values lie in a file: blocks of `values` values in `bytes` bytes."""

    kind: str  # "F32", "BF16", "Q4_1" …
    values: int
    bytes: int
    dtype: np.dtype[Any]  # of the decoded values
    decode: Callable[[Bytes], NDArray[Any]] = field(repr=False)  # (N, bytes) -> (N, values)

    def size(self, shape: tuple[int, ...]) -> int:
        """Bytes that a tensor of this shape takes, whose rows are whole blocks."""
        return prod(shape) // self.values * self.bytes


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """One named tensor of a container; nothing is read or decoded before it is asked for."""

    file: MappedFile
    name: str
    shape: tuple[int, ...]  # outermost axis first, as PyTorch counts them
    storage: Storage
    offset: int  # byte of the file at which it begins

    @property
    def kind(self) -> str:
        """How its values are stored: "F32", "BF16", "Q4_1" …"""
        return self.storage.kind

    @property
    def where(self) -> str:
        """File, name and byte, for errors."""
        return f"{self.file.path}: tensor {self.name!r} at byte {self.offset}"

    @property
    def raw(self) -> Bytes:
        """Its bytes as they lie in the file: (bytes,) memory-mapped, read-only."""
        return self.file.bytes[self.offset : self.offset + self.storage.size(self.shape)]

    def rows(self, start: int, stop: int) -> "Tensor":
        """The rows from `start` up to `stop` of the first axis, still undecoded."""
        count = self.shape[0] if self.shape else 0
        if not 0 <= start <= stop <= count:
            raise CheckpointError(f"has {count} rows, not {start}:{stop}.", where=self.where)
        row = self.shape[1:]
        if prod(row) % self.storage.values:
            raise CheckpointError(f"has no rows of whole {self.kind} blocks.", where=self.where)
        return replace(
            self, shape=(stop - start, *row), offset=self.offset + start * self.storage.size(row)
        )

    def read(self, dtype: DTypeLike | None = np.float32) -> NDArray[Any]:
        """The values as `dtype`, or as they are stored where it is None.

        Quantized and bf16 values become float32 first. Where nothing is to be changed the result
        is the file itself, memory-mapped and read-only. Raises CheckpointError where `dtype` cannot
        hold the kind of value, such as integers asked of F32.
        """
        storage = self.storage
        wanted = storage.dtype if dtype is None else np.dtype(dtype)
        if not np.can_cast(storage.dtype, wanted, "same_kind"):
            raise CheckpointError(f"holds {self.kind}, which is not {wanted}.", where=self.where)
        blocks = self.raw.reshape(-1, storage.bytes)
        if storage.dtype.itemsize == storage.bytes and storage.dtype == wanted != np.bool_:
            values: NDArray[Any] = self.raw.view(storage.dtype).reshape(self.shape)
            return values if values.flags.aligned else values.copy()
        made = np.empty((len(blocks), storage.values), wanted)
        step = max(CHUNK_VALUES // storage.values, 1)
        with np.errstate(all="ignore"):  # damaged scales may be infinite
            for start in range(0, len(blocks), step):
                made[start : start + step] = storage.decode(blocks[start : start + step])
        return made.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Container(Mapping[str, Tensor]):
    """The tensors of a checkpoint by name, from one file or several, with what is said of them."""

    path: Path
    format: Literal["safetensors", "gguf", "pickle"]
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]  # safetensors: strings; GGUF: numbers, strings, lists, arrays

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


def _plain(kind: str, code: str) -> Storage:
    dtype = np.dtype(code)
    return Storage(kind, 1, dtype.itemsize, dtype, lambda blocks: blocks.view(dtype))


def _from_bfloat16(blocks: Bytes) -> NDArray[np.float32]:
    # bf16 is the upper half of a float32.
    return (blocks.view("<u2").astype("<u4") << np.uint32(16)).view("<f4")


# Values that stand alone, not in quantized blocks; little-endian.
PLAIN: Mapping[str, Storage] = {
    "F64": _plain("F64", "<f8"),
    "F32": _plain("F32", "<f4"),
    "F16": _plain("F16", "<f2"),
    "BF16": Storage("BF16", 1, 2, np.dtype("<f4"), _from_bfloat16),
    "I64": _plain("I64", "<i8"),
    "I32": _plain("I32", "<i4"),
    "I16": _plain("I16", "<i2"),
    "I8": _plain("I8", "i1"),
    "U64": _plain("U64", "<u8"),
    "U32": _plain("U32", "<u4"),
    "U16": _plain("U16", "<u2"),
    "U8": _plain("U8", "u1"),
    "BOOL": Storage("BOOL", 1, 1, np.dtype(np.bool_), lambda blocks: blocks != 0),
}
