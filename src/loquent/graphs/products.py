"""Products of matrices, in floats and in whole numbers of 8 bits, as ONNX defines them."""

from collections.abc import Mapping

import numpy as np

from loquent.graphs.elementwise import Made, Operator, plain
from loquent.graphs.program import Array, Attributes

_EXACT = 1 << 24  # whole numbers up to this are exact in 32-bit floats


def gemm(attributes: Attributes) -> Operator:
    """alpha · A B + beta · C, each of A and B perhaps turned."""
    alpha, beta = attributes.real("alpha", 1), attributes.real("beta", 1)
    left, right = attributes.whole("transA", 0), attributes.whole("transB", 0)

    def made(a: Array, b: Array, c: Array | None = None) -> Array:
        product = (a.T if left else a) @ (b.T if right else b)
        if alpha != 1:
            product = product * np.asarray(alpha, product.dtype)
        return product if c is None else product + np.asarray(beta, c.dtype) * c

    return made


def dynamic_quantize(x: Array) -> tuple[Array, Array, Array]:
    """8 bits of floats with one scale and zero point for all, as DynamicQuantizeLinear has it."""
    low = np.minimum(x.min(), np.float32(0))
    high = np.maximum(x.max(), np.float32(0))
    scale = np.asarray((high - low) / np.float32(255), np.float32)
    if scale == 0:
        scale = np.asarray(1, np.float32)
    zero = np.clip(np.rint(-low / scale), 0, 255).astype(np.float32)
    made = x / scale
    np.rint(made, out=made)
    made += zero
    np.clip(made, 0, 255, out=made)
    return made.astype(np.uint8), scale, np.asarray(zero, np.uint8)


def whole_product(
    a: Array, b: Array, a_zero: Array | None = None, b_zero: Array | None = None
) -> Array:
    """(A - zero) (B - zero) in 32-bit whole numbers: by floats, which are exact for these sizes."""
    kind = np.dtype(np.float32 if a.shape[-1] * 255 * 255 < _EXACT else np.float64)
    left: Array = a.astype(kind)
    right: Array = b.astype(kind)
    if a_zero is not None:
        left = left - a_zero.astype(kind)
    if b_zero is not None and b_zero.any():
        right = right - b_zero.astype(kind)
    return np.asarray(left @ right).astype(np.int32)


PRODUCTS: Mapping[str, Made] = {
    "DynamicQuantizeLinear": plain(dynamic_quantize),
    "Gemm": gemm,
    "MatMul": plain(np.matmul),
    "MatMulInteger": plain(whole_product),
}
