"""How GGUF and safetensors store values: one small function for each type, in one table.

The quantized types are those of llama.cpp's ggml (Gerganov et al.); a block of 32 values has one
scale (Q4_0 … Q8_0), a super-block of 256 has scales of its own scales (the K types).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.checkpoints.files.container import Array, Bytes, Kind

Floats = NDArray[np.float32]
_CHUNK_BLOCKS = 1 << 14  # decoded at a time, so that what lies between stays in the cache


def plain(name: str, dtype: type[np.generic]) -> Kind:
    """Values as NumPy stores them: a view, no copy."""
    size = np.dtype(dtype).itemsize

    def decode(blocks: Bytes) -> Array:
        flat = blocks.reshape(-1)
        if flat.ctypes.data % size:  # some old files do not align their tensors
            flat = flat.copy()
        return flat.view(dtype)[:, None]

    return Kind(name, 1, size, decode)


def bfloat16(blocks: Bytes) -> Floats:
    """The upper half of a float32 (Wang and Kanwar 2019)."""
    high = np.ascontiguousarray(blocks).view("<u2").astype(np.uint32)
    return (high << 16).view(np.float32)


def _halves(blocks: Bytes, start: int, count: int = 1) -> Floats:
    """Float16 scales from byte `start` of each block, as (blocks, count) float32."""
    part = np.ascontiguousarray(blocks[:, start : start + 2 * count])
    return part.view("<f2").astype(np.float32)


def _nibbles(part: Bytes) -> Bytes:
    """4-bit values (n, m) -> (n, 2m): all low halves, then all high ones."""
    return np.concatenate([part & 15, part >> 4], axis=1)


def _bits(part: Bytes) -> Bytes:
    """Single bits (n, m) -> (n, 8m), the lowest of each byte first."""
    return np.unpackbits(np.ascontiguousarray(part), axis=1, bitorder="little")


def _q4_0(blocks: Bytes) -> Floats:
    values = _nibbles(blocks[:, 2:]).astype(np.int8) - np.int8(8)
    return _halves(blocks, 0) * values.astype(np.float32)


def _q4_1(blocks: Bytes) -> Floats:
    values = _nibbles(blocks[:, 4:]).astype(np.float32)
    return _halves(blocks, 0) * values + _halves(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    values = _nibbles(blocks[:, 6:]) | _bits(blocks[:, 2:6]) << 4
    return _halves(blocks, 0) * (values.astype(np.int8) - np.int8(16)).astype(np.float32)


def _q5_1(blocks: Bytes) -> Floats:
    values = _nibbles(blocks[:, 8:]) | _bits(blocks[:, 4:8]) << 4
    return _halves(blocks, 0) * values.astype(np.float32) + _halves(blocks, 2)


def _q8_0(blocks: Bytes) -> Floats:
    return _halves(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _shifted(part: Bytes, step: int, groups: int) -> Bytes:
    """Values of `step` bits, byte by byte: (n, m) -> (n, groups, 8/step, m/groups).

    Each group of bytes gives its lowest bits first for all bytes, then the next ones.
    """
    mask = np.uint8((1 << step) - 1)
    shifts = np.arange(0, 8, step, dtype=np.uint8)[None, None, :, None]
    return part.reshape(len(part), groups, 1, -1) >> shifts & mask


def _q2_k(blocks: Bytes) -> Floats:
    scales = blocks[:, :16]
    scale = _halves(blocks, 80) * (scales & 15).astype(np.float32)
    least = _halves(blocks, 82) * (scales >> 4).astype(np.float32)
    values = _shifted(blocks[:, 16:80], 2, 2).reshape(-1, 16, 16).astype(np.float32)
    return (scale[:, :, None] * values - least[:, :, None]).reshape(-1, 256)


def _q3_k(blocks: Bytes) -> Floats:
    packed = blocks[:, 96:108]
    low = _nibbles(packed[:, :8])
    high = _shifted(packed[:, 8:], 2, 1).reshape(-1, 16)
    scales = (low | high << 4).astype(np.int8) - np.int8(32)
    scale = _halves(blocks, 108) * scales.astype(np.float32)
    values = _shifted(blocks[:, 32:96], 2, 2).reshape(-1, 256).astype(np.int8)
    # the third bit, inverted: where it is missing, 4 is subtracted
    missing = _shifted(blocks[:, :32], 1, 1).reshape(-1, 256) ^ 1
    values = values - (missing << 2).astype(np.int8)
    return (scale[:, :, None] * values.reshape(-1, 16, 16).astype(np.float32)).reshape(-1, 256)


def _scales_k(packed: Bytes) -> tuple[Bytes, Bytes]:
    """Eight 6-bit scales and eight 6-bit minima out of 12 bytes: (n, 12) -> (n, 8) twice."""
    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scale = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=1)
    least = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=1)
    return scale, least


def _scaled_k(blocks: Bytes, values: Bytes) -> Floats:
    """Q4_K and Q5_K: eight groups of 32 values with a scale and a minimum each."""
    scales, minima = _scales_k(blocks[:, 4:16])
    scale = _halves(blocks, 0) * scales.astype(np.float32)
    least = _halves(blocks, 2) * minima.astype(np.float32)
    wide = values.reshape(-1, 8, 32).astype(np.float32)
    return (scale[:, :, None] * wide - least[:, :, None]).reshape(-1, 256)


def _q4_k(blocks: Bytes) -> Floats:
    return _scaled_k(blocks, _shifted(blocks[:, 16:], 4, 4))


def _q5_k(blocks: Bytes) -> Floats:
    low = _shifted(blocks[:, 48:], 4, 4).reshape(-1, 256)
    high = _shifted(blocks[:, 16:48], 1, 1).reshape(-1, 256)
    return _scaled_k(blocks, low | high << np.uint8(4))


def _q6_k(blocks: Bytes) -> Floats:
    low = _shifted(blocks[:, :128], 4, 2).reshape(-1, 256)
    high = _shifted(blocks[:, 128:192], 2, 2).reshape(-1, 256)
    values = ((low | high << 4).astype(np.int8) - np.int8(32)).reshape(-1, 16, 16)
    scales = np.ascontiguousarray(blocks[:, 192:208]).view(np.int8)
    scale = _halves(blocks, 208) * scales.astype(np.float32)
    return (scale[:, :, None] * values.astype(np.float32)).reshape(-1, 256)


def quantized(name: str, values: int, size: int, decode: Callable[[Bytes], Floats]) -> Kind:
    """A type whose blocks are decoded a chunk at a time."""

    def chunked(blocks: Bytes) -> Floats:
        out = np.empty((len(blocks), values), np.float32)
        for start in range(0, len(blocks), _CHUNK_BLOCKS):
            part = slice(start, start + _CHUNK_BLOCKS)
            out[part] = decode(np.asarray(blocks[part]))
        return out

    return Kind(name, values, size, chunked)


BF16 = quantized("BF16", 1, 2, bfloat16)
_PLAIN: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
KINDS = {"BF16": BF16, **{name: plain(name, dtype) for name, dtype in _PLAIN.items()}}

# ggml's number of a type: the type.
GGUF_KINDS = {
    0: KINDS["F32"],
    1: KINDS["F16"],
    2: quantized("Q4_0", 32, 18, _q4_0),
    3: quantized("Q4_1", 32, 20, _q4_1),
    6: quantized("Q5_0", 32, 22, _q5_0),
    7: quantized("Q5_1", 32, 24, _q5_1),
    8: quantized("Q8_0", 32, 34, _q8_0),
    10: quantized("Q2_K", 256, 84, _q2_k),
    11: quantized("Q3_K", 256, 110, _q3_k),
    12: quantized("Q4_K", 256, 144, _q4_k),
    13: quantized("Q5_K", 256, 176, _q5_k),
    14: quantized("Q6_K", 256, 210, _q6_k),
    24: KINDS["I8"],
    25: KINDS["I16"],
    26: KINDS["I32"],
    27: KINDS["I64"],
    28: KINDS["F64"],
    30: BF16,
}
