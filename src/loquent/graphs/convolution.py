"""Convolutions along time, as ONNX defines them: a product of matrices for each tap."""

from collections.abc import Mapping, Sequence

import numpy as np

from loquent.errors import CheckpointError
from loquent.graphs.elementwise import Made, Operator
from loquent.graphs.program import Array, Attributes
from loquent.native import Chain, convolve_channels

_AT_ONCE = 2048  # steps, so that what is added up stays in the cache


def convolved(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    *,
    pads: tuple[int, int] = (0, 0),
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    slope: float = 1.0,
    residual: Array | None = None,
    parts: Sequence[Array] = (),
) -> Array:
    """(B, C, T) and a kernel (O, C / groups, K) → (B, O, T'); raises CheckpointError otherwise.

    Negative values of x count `slope` times (0 to 1), and `residual` (B, O, T') is added. `parts`
    are those that `taps_of` makes of the kernel, where it is convolved with again.
    """
    if x.ndim != 3 or kernel.ndim != 3:
        raise CheckpointError("a convolution along more than one axis is not executed.")
    batch, channels, length = x.shape
    outputs, _, taps = kernel.shape
    simple = batch == stride == 1 and x.dtype == kernel.dtype == np.float32
    if simple and groups == 1:
        given = [x[0]] if residual is None else [x[0], residual[0]]
        chain = Chain([(channels, slope), (outputs, 1.0)][: len(given)])
        added = [] if residual is None else [1]
        chain.add(
            0, slope != 1, np.ascontiguousarray(kernel), bias, dilation, 1, *pads, added, 1.0, 1.0,
            False,
        )  # fmt: skip
        return chain.run([np.ascontiguousarray(each) for each in given])[None]
    if slope != 1.0:
        x = np.maximum(x, x * x.dtype.type(slope))
    if simple and groups == channels == outputs and residual is None:
        own = kernel.reshape(channels, taps)
        return convolve_channels(
            np.ascontiguousarray(x[0]), np.ascontiguousarray(own), bias, dilation, *pads
        )[None]
    if any(pads):
        x = np.pad(x, ((0, 0), (0, 0), pads))
    steps = (length + sum(pads) - dilation * (taps - 1) - 1) // stride + 1
    made = np.empty((batch, outputs, steps), x.dtype)
    parts = parts or taps_of(kernel)
    for first in range(0, steps, _AT_ONCE):
        count = min(_AT_ONCE, steps - first)
        total: Array | None = None
        for tap, part in enumerate(parts):
            start = first * stride + tap * dilation
            product = _mapped(
                x[:, :, start : start + stride * (count - 1) + 1 : stride], part, groups
            )
            total = product if total is None else np.add(total, product, out=total)
        made[:, :, first : first + count] = total if bias is None else total + bias[:, None]
    return made if residual is None else made + residual


def taps_of(kernel: Array) -> list[Array]:
    """A kernel (O, C, K) as K matrices, each in one piece."""
    return [np.ascontiguousarray(kernel[:, :, tap]) for tap in range(kernel.shape[2])]


def spread(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    *,
    pads: tuple[int, int] = (0, 0),
    stride: int = 1,
    dilation: int = 1,
    extra: int = 0,
    slope: float = 1.0,
) -> Array:
    """(B, C, T) and a kernel (C, O, K) → (B, O, T'): every input adds its kernel to the output.

    Negative values of x count `slope` times (0 to 1). Raises CheckpointError for more than one
    axis.
    """
    if x.ndim != 3 or kernel.ndim != 3:
        raise CheckpointError("a convolution along more than one axis is not executed.")
    batch, _, length = x.shape
    _, outputs, taps = kernel.shape
    if batch == 1 and dilation == 1 and stride > 1 and x.dtype == kernel.dtype == np.float32:
        wide = stretched_kernel(kernel, stride)
        after = pads[1] + wide.shape[2] * stride - taps - extra
        if after >= 0:
            chain = Chain([(x.shape[1], slope)])
            chain.add(0, slope != 1, wide, bias, 1, stride, pads[0], after, [], 1.0, 1.0, False)
            return chain.run([np.ascontiguousarray(x[0])])[None]
    whole = stride * (length - 1) + dilation * (taps - 1) + 1 + extra
    kernels = _strides(kernel, stride, dilation)  # (Q, stride · O, C)
    rows = length + max(len(kernels), -(-(extra + 1) // stride) + 1)
    taps = np.ascontiguousarray(
        kernels[::-1].transpose(1, 2, 0)
    )  # of a convolution that gives all strides
    made = convolved(x, taps, pads=(len(kernels) - 1, rows - length), slope=slope)
    spread_out = made.reshape(batch, stride, outputs, rows).transpose(0, 2, 3, 1)
    made = spread_out.reshape(batch, outputs, rows * stride)[:, :, :whole]
    if bias is not None:
        made += bias[:, None]
    return np.ascontiguousarray(made[:, :, pads[0] : whole - pads[1]])


def stretched_kernel(kernel: Array, stride: int) -> Array:
    """A kernel (C, O, K) as one of a convolution (O · stride, C, Q) that gives all strides."""
    channels, outputs, taps = kernel.shape
    count = -(-taps // stride)
    made = np.zeros((channels, outputs, count * stride), kernel.dtype)
    made[:, :, :taps] = kernel
    made = made.reshape(channels, outputs, count, stride)[:, :, ::-1]
    turned = made.transpose(1, 3, 0, 2).reshape(outputs * stride, channels, count)
    return np.ascontiguousarray(turned)


def _strides(kernel: Array, stride: int, dilation: int) -> Array:
    """A kernel (C, O, K) as matrices (Q, stride · O, C): what falls on each place of Q strides."""
    channels, outputs, taps = kernel.shape
    count = -(-(dilation * (taps - 1) + 1) // stride)
    made = np.zeros((count * stride, outputs, channels), kernel.dtype)
    made[: dilation * (taps - 1) + 1 : dilation] = kernel.transpose(2, 1, 0)
    return made.reshape(count, stride * outputs, channels)


def _mapped(part: Array, weight: Array, groups: int) -> Array:
    """One tap: (B, C, T) → (B, O, T)."""
    outputs, inside = weight.shape
    if groups == 1:
        return np.asarray(weight @ part)
    if inside == 1 and outputs == groups:
        return np.asarray(part * weight)
    batch, _, steps = part.shape
    split = part.reshape(batch, groups, inside, steps)
    made = weight.reshape(groups, outputs // groups, inside) @ split
    return made.reshape(batch, outputs, steps)


def convolution(attributes: Attributes) -> Operator:
    """The operator Conv, along time."""
    groups = attributes.whole("group", 1)
    stride, dilation, pads = settings_of(attributes)
    kept: tuple[Array, list[Array]] | None = None  # the kernel is the same in every run

    def made(x: Array, kernel: Array, bias: Array | None = None) -> Array:
        nonlocal kept
        known = kept  # another thread may change it meanwhile
        if known is None or known[0] is not kernel:
            known = kept = (kernel, taps_of(kernel) if kernel.ndim == 3 else [])
        return convolved(
            x,
            kernel,
            bias,
            pads=pads,
            stride=stride,
            dilation=dilation,
            groups=groups,
            parts=known[1],
        )

    return made


def transposed(attributes: Attributes) -> Operator:
    """The operator ConvTranspose, along time."""
    stride, dilation, pads = settings_of(attributes)
    extra = (attributes.wholes("output_padding") or (0,))[0]
    if attributes.whole("group", 1) != 1 or attributes.wholes("output_shape"):
        raise NotImplementedError("ConvTranspose with groups or an output_shape")

    def made(x: Array, kernel: Array, bias: Array | None = None) -> Array:
        return spread(x, kernel, bias, pads=pads, stride=stride, dilation=dilation, extra=extra)

    return made


def settings_of(attributes: Attributes) -> tuple[int, int, tuple[int, int]]:
    """The stride, the dilation and what is put before and behind."""
    if attributes.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise NotImplementedError("a convolution with auto_pad")
    stride = (attributes.wholes("strides") or (1,))[0]
    dilation = (attributes.wholes("dilations") or (1,))[0]
    pads = attributes.wholes("pads") or (0, 0)
    return stride, dilation, (pads[0], pads[-1])


CONVOLUTIONS: Mapping[str, Made] = {"Conv": convolution, "ConvTranspose": transposed}
