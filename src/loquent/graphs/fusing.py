"""Steps of a program put together, where one does the work of several and no more exactly less.

Activations that a file rounds to 8 bits for each product stay floats: the product with the weights,
which are as the file has them, is then exacter, and here it is faster as well.
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from loquent.graphs.chains import chained
from loquent.graphs.maps import KINDS, Precision
from loquent.graphs.program import Array, Attribute, Program, Step, pruned

_QUANTIZE = "DynamicQuantizeLinear"
_TURN = (0, 2, 1)
_SAME = ("Conv", "Add", "Map")  # steps whose results along time have one row, as what is added to


def fused(program: Program, precision: Precision = "float") -> Program:
    """The same program with fewer steps; constants must be folded before.

    Weights of maps may be held in 8 bits with a scale for each output, and what they are multiplied
    with in 8 bits with a scale for each 64 values: faster by half, and off by less than 1 %.
    """
    for change in (_float_products, _gelus):
        program = pruned(change(program))
    program = pruned(_maps(program, precision))
    return chained(pruned(_across(program)))


@dataclass
class _Net:
    """Who makes and who reads each value."""

    program: Program

    def __post_init__(self) -> None:
        self.makers = {name: each for each in self.program.steps for name in each.outputs}
        self.readers: dict[str, list[Step]] = {}
        for each in self.program.steps:
            for name in each.inputs:
                self.readers.setdefault(name, []).append(each)

    def only(self, name: str, kind: str) -> Step | None:
        """The one step that reads a value, if it is of this kind."""
        readers = self.readers.get(name, [])
        fits = len(readers) == 1 and readers[0].kind == kind and name not in self.program.outputs
        return readers[0] if fits else None

    def maker(self, name: str, kind: str) -> Step | None:
        """The step that makes a value, if it is of this kind."""
        made = self.makers.get(name)
        return made if made is not None and made.kind == kind else None

    def number(self, name: str) -> float | None:
        """The value of a constant that is one number."""
        value = self.program.constants.get(name)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None


def _float_products(program: Program) -> Program:
    """Quantize, multiply whole numbers, scale → multiply floats."""
    net = _Net(program)
    constants = dict(program.constants)
    made: dict[int, Step] = {}
    for step in program.steps:
        if step.kind != "MatMulInteger":
            continue
        quantized = net.maker(step.inputs[0], _QUANTIZE)
        cast = net.only(step.outputs[0], "Cast")
        scaled = net.only(cast.outputs[0], "Mul") if cast else None
        if quantized is None or cast is None or scaled is None or step.inputs[1] not in constants:
            continue
        other = next(each for each in scaled.inputs if each != cast.outputs[0])
        scales = net.maker(other, "Mul")
        weight_scale = _beside(scales, quantized.outputs[1]) if scales else ""
        if weight_scale not in constants:
            continue
        zero = constants.get(step.inputs[3]) if len(step.inputs) > 3 else None
        name = f"{step.inputs[1]} as floats"
        constants[name] = _floats(constants[step.inputs[1]], zero, constants[weight_scale])
        inputs = (quantized.inputs[0], name)
        made[id(scaled)] = Step("MatMul", inputs, scaled.outputs, {}, step.name)
    steps = tuple(made.get(id(each), each) for each in program.steps)
    return replace(program, constants=constants, steps=steps)


def _beside(step: Step, name: str) -> str:
    """The other input of a step of two."""
    left, right = step.inputs
    return right if left == name else left if right == name else ""


def _floats(weight: Array, zero: Array | None, scale: Array) -> Array:
    values = weight.astype(np.float32)
    if zero is not None:
        values -= zero.astype(np.float32)
    return np.ascontiguousarray(values * scale.astype(np.float32))


def _gelus(program: Program) -> Program:
    """x / √2 → erf → + 1 → · x → · ½ (Hendrycks and Gimpel 2016), in either order → one step."""
    net = _Net(program)
    made: dict[int, Step] = {}
    for step in program.steps:
        if step.kind != "Erf":
            continue
        divided = net.maker(step.inputs[0], "Div")
        added = net.only(step.outputs[0], "Add")
        if divided is None or added is None or not _is(net, divided.inputs[1], sqrt(2)):
            continue
        x = divided.inputs[0]
        one = _beside(added, step.outputs[0])
        first = net.only(added.outputs[0], "Mul")
        if not _is(net, one, 1) or first is None:
            continue
        last = net.only(first.outputs[0], "Mul")
        if last is None:
            continue
        factors = {_beside(first, added.outputs[0]), _beside(last, first.outputs[0])}
        half = next((each for each in factors if _is(net, each, 0.5)), None)
        if half is not None and factors - {half} == {x}:
            made[id(last)] = Step("Gelu", (x,), last.outputs, {}, step.name)
    steps = tuple(made.get(id(each), each) for each in program.steps)
    return replace(program, steps=steps)


def _maps(program: Program, precision: Precision) -> Program:
    """Norm → product with fixed weights → + bias → GELU, as far as they are there → one step."""
    net = _Net(program)
    made: dict[int, Step] = {}
    for step in program.steps:
        weight = program.constants.get(step.inputs[1]) if step.kind == "MatMul" else None
        if weight is None or weight.ndim != 2 or weight.dtype != np.float32:
            continue
        attributes: dict[str, Attribute] = {"weight": weight, "kind": int(KINDS[precision])}
        x, last = step.inputs[0], step
        normed = net.maker(x, "LayerNormalization")
        if normed is not None and net.only(x, "MatMul") is step and _fixed(net, normed):
            x = normed.inputs[0]
            names = ("norm_weight", "norm_bias")
            attributes |= {
                name: program.constants[given]
                for name, given in zip(names, normed.inputs[1:], strict=False)
            }
            attributes["epsilon"] = normed.attributes.get("epsilon", 1e-5)
        added = net.only(last.outputs[0], "Add")
        bias = program.constants.get(_beside(added, last.outputs[0])) if added else None
        if added is not None and bias is not None and bias.shape == weight.shape[1:]:
            attributes["bias"], last = bias, added
        bent = net.only(last.outputs[0], "Gelu")
        if bent is not None:
            attributes["gelu"], last = 1, bent
        made[id(last)] = Step("Map", (x,), last.outputs, attributes, step.name)
    steps = tuple(made.get(id(each), each) for each in program.steps)
    return replace(program, steps=steps)


def _across(program: Program) -> Program:
    """Transpositions around maps, and the sum behind one, become part of the maps."""
    net = _Net(program)
    made: dict[int, Step] = {}
    for step in program.steps:
        if step.kind != "Map":
            continue
        attributes, inputs, last = dict(step.attributes), step.inputs, step
        before = net.maker(inputs[0], "Transpose")
        if before is not None and before.attributes.get("perm") == _TURN:
            attributes["turned"], inputs = 1, before.inputs
        behind = net.only(step.outputs[0], "Transpose")
        if behind is not None and behind.attributes.get("perm") == _TURN:
            attributes["across"], last = 1, behind
            added = net.only(behind.outputs[0], "Add")
            other = _beside(added, behind.outputs[0]) if added is not None else ""
            if added is not None and other in net.makers and net.makers[other].kind in _SAME:
                inputs, last = (*inputs, other), added
        made[id(last)] = Step("Map", inputs, last.outputs, attributes, step.name)
        if last is not step:
            made[id(step)] = step
    steps = tuple(made.get(id(each), each) for each in program.steps)
    return replace(program, steps=steps)


def _fixed(net: _Net, step: Step) -> bool:
    """Whether a norm is one of the last axis, with constants."""
    known = all(each in net.program.constants for each in step.inputs[1:])
    return known and step.attributes.get("axis", -1) == -1


def _is(net: _Net, name: str, value: float) -> bool:
    found = net.number(name)
    return found is not None and abs(found - value) < 1e-5
