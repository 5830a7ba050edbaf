"""Writing packed models (the format: src/packed_file.hpp and src/layout.hpp)."""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from loquent.native._core import LAYOUT_VERSION, checksum, pack_matrix

_HEADER = struct.Struct("<8sIIQQQ24x")
_ENTRY = struct.Struct("<IIQQQQQ")


class Kind(IntEnum):
    """How a section is stored: as a matrix for products, or as plain numbers."""

    F32 = 0
    BF16 = 1
    INT8 = 2
    INT4 = 3
    PLAIN = 4


@dataclass(frozen=True)
class Plan:
    """One section of a file to be written."""

    name: str
    kind: Kind
    rows: int
    columns: int


class PackedWriter:
    """Writes the sections of a plan one by one, then the directory; the file appears when closed.

    As a context manager: without an error the finished file takes the place of `path`.
    """

    def __init__(
        self, path: Path, description: bytes, plans: Sequence[Plan], *, threads: int
    ) -> None:
        self._path = path
        self._description = description
        self._plans = plans
        self._threads = threads
        self._entries: list[bytes] = []
        self._new = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._file = self._new.open("wb")
        directory = sum(_ENTRY.size + len(plan.name.encode()) for plan in plans)
        self._file.write(bytes(_HEADER.size + len(description) + directory))

    def write(self, array: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The next section of the plan, (rows, columns); gives its bytes."""
        plan = self._plans[len(self._entries)]
        assert array.shape == (plan.rows, plan.columns), plan.name
        array = np.ascontiguousarray(array, dtype=np.float32)
        if plan.kind is Kind.PLAIN:
            data = array.reshape(-1).view(np.uint8)
        else:
            data = pack_matrix(array, int(plan.kind), self._threads)
        self._file.write(bytes(-self._file.tell() % 64))
        start = self._file.tell()
        name = plan.name.encode()
        self._entries.append(
            _ENTRY.pack(
                len(name), plan.kind, plan.rows, plan.columns, start, data.size, checksum(data)
            )
            + name
        )
        self._file.write(data.data)
        return data

    def __enter__(self) -> "PackedWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            self._new.unlink(missing_ok=True)

    def _finish(self) -> None:
        assert len(self._entries) == len(self._plans)
        directory = b"".join(self._entries)
        body = self._description + directory
        self._file.seek(0)
        self._file.write(
            _HEADER.pack(
                b"LOQUENT\0",
                LAYOUT_VERSION,
                len(self._entries),
                len(self._description),
                len(directory),
                checksum(np.frombuffer(body, np.uint8)),
            )
        )
        self._file.write(body)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._new.replace(self._path)
