"""The values that a packed matrix stands for: the inverse of packing, as src/layout.hpp says."""

import numpy as np
from numpy.typing import NDArray

from loquent.native._core import BLOCK_ROWS
from loquent.native.packed import Kind

_GROUP = 64  # columns are padded to a multiple of it
_INT4_GROUP = 32

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def unpacked(data: Bytes, kind: Kind, rows: int, columns: int) -> Floats:
    """The values (rows, columns) of a packed section, as the runtime multiplies with them."""
    if kind is Kind.PLAIN:
        return data.view(np.float32).reshape(rows, columns)
    blocks, padded = -(-rows // BLOCK_ROWS), -(-columns // _GROUP) * _GROUP
    whole = _DECODERS[kind](data, blocks, padded)  # (blocks, 64, padded columns)
    return whole.reshape(blocks * BLOCK_ROWS, padded)[:rows, :columns]


def _float32(data: Bytes, blocks: int, columns: int) -> Floats:
    return data.view(np.float32).reshape(blocks, columns, BLOCK_ROWS).swapaxes(1, 2)


def _bfloat16(data: Bytes, blocks: int, columns: int) -> Floats:
    halves = data.view(np.uint16).reshape(blocks, columns // 2, BLOCK_ROWS, 2).swapaxes(1, 2)
    return (halves.astype(np.uint32) << 16).view(np.float32)


def _int8(data: Bytes, blocks: int, columns: int) -> Floats:
    count = blocks * BLOCK_ROWS * columns
    codes = data[:count].view(np.int8).reshape(blocks, columns // 4, BLOCK_ROWS, 4).swapaxes(1, 2)
    scales = data[count:].view(np.float32).reshape(blocks, BLOCK_ROWS, 1, 1)
    return codes * scales


def _int4(data: Bytes, blocks: int, columns: int) -> Floats:
    groups = columns // _INT4_GROUP
    parts = data.reshape(blocks, groups, (4 + _INT4_GROUP // 2) * BLOCK_ROWS)
    halves = parts[:, :, : 4 * BLOCK_ROWS].copy().view(np.float16).astype(np.float32)
    scales, minima = halves.reshape(blocks, groups, 2, BLOCK_ROWS).transpose(2, 0, 3, 1)
    bytes = parts[:, :, 4 * BLOCK_ROWS :].reshape(blocks, groups, 4, BLOCK_ROWS, 4)
    codes = np.stack([bytes & 15, bytes >> 4], axis=4)  # low halves are the first four columns
    codes = codes.transpose(0, 3, 1, 2, 4, 5).reshape(blocks, BLOCK_ROWS, groups, _INT4_GROUP)
    return codes * scales[..., None] + minima[..., None]


_DECODERS = {
    Kind.F32: _float32,
    Kind.BF16: _bfloat16,
    Kind.INT8: _int8,
    Kind.INT4: _int4,
}
