"""Convolutions of a graph as links of chains, and chains as an operator."""

from collections.abc import Mapping

import numpy as np

from loquent.blas import at_work
from loquent.graphs.convolution import settings_of, stretched_kernel
from loquent.graphs.elementwise import Made, Operator
from loquent.graphs.program import Array, Attributes, Link, Program, Step
from loquent.native import Chain, thread_count


def slope_of(step: Step) -> float:
    """How many times a LeakyRelu counts negative numbers; above 1 for what no chain does."""
    slope = Attributes(step.attributes).real("alpha", 0.01)
    return slope if slope >= 0 else 2.0


def link_of(program: Program, step: Step) -> Link | None:
    """A convolution as a link, if it is one that a chain can hold."""
    attributes = Attributes(step.attributes)
    given = [program.constants.get(each) for each in step.inputs[1:] if each]
    fits = all(each is not None and each.dtype == np.float32 for each in given)
    kernel, bias = given[0] if given else None, given[1] if len(given) > 1 else None
    if not fits or kernel is None or kernel.ndim != 3 or attributes.whole("group", 1) != 1:
        return None
    try:
        stride, dilation, (before, after) = settings_of(attributes)
    except NotImplementedError:
        return None
    if step.kind == "Conv":
        fits = stride == 1 and min(before, after) >= 0
        return Link(kernel, bias, dilation, 1, before, after) if fits else None
    extra = (attributes.wholes("output_padding") or (0,))[0]
    wide = stretched_kernel(kernel, stride)
    after += wide.shape[2] * stride - kernel.shape[2] - extra
    fits = stride > 1 and dilation == 1 and min(before, after) >= 0
    fits = fits and not attributes.wholes("output_shape")
    return Link(wide, bias, 1, stride, before, after) if fits else None


def chain(attributes: Attributes) -> Operator:
    """A chain of convolutions: (B, C, T) → (B, O, T')."""
    native = Chain([(attributes.whole("channels", 0), attributes.real("slope", 1))])
    for link in attributes.links():
        bias = None if link.bias is None else np.ascontiguousarray(link.bias)
        native.add(
            link.source, link.bent, np.ascontiguousarray(link.kernel), bias, link.dilation,
            link.stretch, link.before, link.after, list(link.added), link.scale, link.slope,
            link.tanh,
        )  # fmt: skip
    bent = bool(attributes.whole("bent", 0))
    most = thread_count()

    def made(x: Array) -> Array:
        if x.ndim != 3 or x.dtype != np.float32:
            raise ValueError("a chain of convolutions takes floats along time")
        threads = max(1, most // max(1, at_work()))  # others may make another sentence meanwhile
        rows = [native.run([np.ascontiguousarray(row)], bent, threads) for row in x]
        return rows[0][None] if len(rows) == 1 else np.stack(rows)

    return made


CHAINS: Mapping[str, Made] = {"Chain": chain}
