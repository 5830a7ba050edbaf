"""Every type that GGUF stores, bit for bit as its reference decodes it."""

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize, quantize

from loquent.checkpoints.files.blocks import GGUF_KINDS
from loquent.checkpoints.files.container import Tensor

TYPES = [gguf.GGMLQuantizationType(number) for number in GGUF_KINDS]
DECODED = [each for each in TYPES if each.name[0] not in "I" and each.name != "F64"]
ENCODED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "BF16"]


def bits(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)


@pytest.mark.parametrize("kind", TYPES, ids=lambda each: each.name)
def test_block_sizes(kind: gguf.GGMLQuantizationType) -> None:
    ours = GGUF_KINDS[kind]
    assert (ours.values, ours.bytes) == gguf.GGML_QUANT_SIZES[kind]
    assert ours.name == kind.name


@pytest.mark.parametrize("kind", DECODED, ids=lambda each: each.name)
def test_any_bytes_decode_as_the_reference_does(kind: gguf.GGMLQuantizationType) -> None:
    ours = GGUF_KINDS[kind]
    raw = np.random.default_rng(kind).integers(0, 256, (20_000, ours.bytes), dtype=np.uint8)
    with np.errstate(all="ignore"):  # some scales are NaN and infinite: they must be so here too
        assert np.array_equal(bits(ours.decode(raw)), bits(dequantize(raw, kind)))


@pytest.mark.parametrize("name", ENCODED)
def test_real_values_come_back_as_the_reference_reads_them(name: str) -> None:
    kind = gguf.GGMLQuantizationType[name]
    values = np.random.default_rng(1).normal(size=(64, 256)).astype(np.float32)
    packed = quantize(values, kind)
    tensor = Tensor("x", values.shape, GGUF_KINDS[kind], packed.reshape(-1).view(np.uint8), "here")
    assert np.array_equal(bits(tensor.read()), bits(dequantize(packed, kind)))
    assert np.array_equal(tensor.rows(5, 9), tensor.read()[5:9])
    assert np.abs(tensor.read() - values).max() < 0.7


@pytest.mark.parametrize("name", ["F64", "I8", "I16", "I32", "I64"])
def test_plain_numbers_are_views(name: str) -> None:
    kind = GGUF_KINDS[gguf.GGMLQuantizationType[name]]
    dtype = np.dtype({"F": "f", "I": "i"}[name[0]] + str(int(name[1:]) // 8))
    values = np.arange(-8, 8).astype(dtype).reshape(4, 4)
    raw = values.reshape(-1).view(np.uint8)
    assert np.array_equal(Tensor("x", (4, 4), kind, raw, "").read(), values)
    shifted = np.concatenate([[np.uint8(0)], raw])[1:]
    assert np.array_equal(Tensor("x", (4, 4), kind, shifted, "").read(), values)
