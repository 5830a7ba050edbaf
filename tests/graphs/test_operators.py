"""Every operator does what the reference of the onnx package does, on random values."""

from collections.abc import Sequence
from math import erf
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from loquent.checkpoints.files.onnx_program import open_program
from loquent.graphs.operators import OPERATORS
from loquent.graphs.program import Attributes
from loquent.graphs.runner import Runner

DRAWN = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return DRAWN.normal(size=shape).astype(np.float32)


def wholes(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


X = floats(2, 3, 4)
SIGNAL, KERNEL = floats(2, 6, 20), floats(8, 6, 3)
BOOLS = X > 0
# (operator, inputs, attributes)
CASES: list[tuple[str, Sequence[Any], dict[str, Any]]] = [
    *((kind, [X], {}) for kind in (
        "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Identity", "LeakyRelu", "Neg", "Relu",
        "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Tanh", "Softmax", "Shape", "NonZero",
    )),
    *((kind, [np.abs(X) + 0.1], {}) for kind in ("Log", "Sqrt", "Reciprocal")),
    *((kind, [X, floats(3, 1)], {}) for kind in (
        "Add", "Sub", "Mul", "Div", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal",
        "Max", "Min",
    )),
    ("And", [BOOLS, ~BOOLS], {}),
    ("Or", [BOOLS, ~BOOLS], {}),
    ("Not", [BOOLS], {}),
    ("Div", [wholes(7, -7, 8), wholes(2, 2, -3)], {}),
    ("Pow", [X, np.float32(2)], {}),
    ("Pow", [np.abs(X), np.float32(1.5)], {}),
    ("Cast", [X], {"to": TensorProto.INT64}),
    ("Cast", [X], {"to": TensorProto.BOOL}),
    ("Clip", [X, np.float32(-0.5), np.float32(0.5)], {}),
    ("Clip", [X, None, np.float32(0.5)], {}),
    ("LeakyRelu", [X], {"alpha": 0.3}),
    ("LeakyRelu", [X], {"alpha": 1.5}),
    ("Where", [BOOLS, X, -X], {}),
    # shapes
    ("Concat", [X, X], {"axis": -1}),
    ("ConstantOfShape", [wholes(2, 3)], {}),
    ("Expand", [floats(3, 1), wholes(2, 1, 4)], {}),
    ("Pad", [X, wholes(0, 1, 0, 2, 0, 1), np.float32(9)], {}),
    ("Pad", [X, wholes(0, 1, 2, 0, 1, 2)], {"mode": "reflect"}),
    ("Range", [np.int64(2), np.int64(11), np.int64(3)], {}),
    ("Reshape", [X, wholes(0, -1)], {}),
    ("Slice", [X, wholes(1, 0), wholes(3, 9), wholes(1, -1), wholes(1, 2)], {}),
    ("Slice", [X, wholes(-1), wholes(-9), wholes(2), wholes(-1)], {}),
    ("Split", [X, wholes(1, 3)], {"axis": 2}),
    ("Squeeze", [floats(1, 3, 1), wholes(0)], {}),
    ("Squeeze", [floats(1, 3, 1)], {}),
    ("Tile", [X, wholes(1, 2, 3)], {}),
    ("Transpose", [X], {"perm": [2, 0, 1]}),
    ("Transpose", [X], {}),
    ("Unsqueeze", [X, wholes(0, 3)], {}),
    # places
    ("Gather", [X, wholes(2, 0, -1)], {"axis": 1}),
    ("GatherElements", [X, DRAWN.integers(0, 3, (2, 3, 4))], {"axis": 1}),
    ("GatherND", [X, np.array([[0, 1], [1, 2]])], {}),
    ("ScatterND", [X, np.array([[0, 1], [1, 2]]), floats(2, 4)], {}),
    # reductions
    ("ArgMax", [X], {"axis": 1}),
    ("ArgMax", [np.array([1.0, 3, 3], np.float32)], {"select_last_index": 1, "keepdims": 0}),
    ("CumSum", [X, np.int64(1)], {}),
    ("CumSum", [X, np.int64(2)], {"exclusive": 1, "reverse": 1}),
    ("LayerNormalization", [X, floats(4), floats(4)], {"epsilon": 1e-3}),
    ("LayerNormalization", [X, floats(3, 4)], {"axis": 1}),
    ("ReduceMean", [X], {"axes": [1, 2]}),
    ("ReduceMax", [X], {"axes": [0], "keepdims": 0}),
    ("ReduceMin", [X], {}),
    ("ReduceProd", [X], {"axes": [-1]}),
    ("ReduceSum", [X, wholes(1)], {"keepdims": 0}),
    ("Softmax", [100 * X], {"axis": 1}),
    # products
    ("MatMul", [X, floats(4, 5)], {}),
    ("MatMul", [floats(2, 5, 4), floats(2, 4, 3)], {}),
    ("Gemm", [floats(3, 4), floats(5, 4), floats(5)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("DynamicQuantizeLinear", [X], {}),
    ("DynamicQuantizeLinear", [np.abs(X)], {}),
    (
        "MatMulInteger",
        [
            DRAWN.integers(0, 256, (5, 700)).astype(np.uint8),
            DRAWN.integers(-128, 128, (700, 6)).astype(np.int8),
            np.array(131, np.uint8),
            np.array(0, np.int8),
        ],
        {},
    ),
    # convolutions
    ("Conv", [SIGNAL, KERNEL, floats(8)], {"pads": [1, 1]}),
    ("Conv", [SIGNAL, KERNEL], {"dilations": [2], "strides": [3], "pads": [4, 0]}),
    ("Conv", [SIGNAL, floats(6, 1, 5), floats(6)], {"group": 6, "pads": [2, 2]}),
    ("Conv", [SIGNAL, floats(4, 3, 3)], {"group": 2}),
    ("ConvTranspose", [SIGNAL, floats(6, 4, 5), floats(4)], {"strides": [3], "pads": [1, 2]}),
    ("ConvTranspose", [SIGNAL, floats(6, 4, 4)], {"strides": [2], "output_padding": [1]}),
]  # fmt: skip
ALONE = {"Chain", "Constant", "Gelu", "Map"}  # tested below, and in test_runner.py


def model_of(kind: str, inputs: Sequence[Any], attributes: dict[str, Any]) -> onnx.ModelProto:
    names = ["" if each is None else f"x{place}" for place, each in enumerate(inputs)]
    outputs = ["y0"]
    if kind == "Split":
        outputs = ["y0", "y1"]
    elif kind == "DynamicQuantizeLinear":
        outputs = ["y0", "y1", "y2"]
    given = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.asarray(x).dtype), None
        )
        for name, x in zip(names, inputs, strict=True)
        if name
    ]
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    node = helper.make_node(kind, names, outputs, **attributes)
    graph = helper.make_graph([node], "one", given, made)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize(
    ("kind", "inputs", "attributes"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)]
)
def test_as_the_reference(
    kind: str, inputs: Sequence[Any], attributes: dict[str, Any], tmp_path: Path
) -> None:
    model = model_of(kind, inputs, attributes)
    path = tmp_path / "one.onnx"
    onnx.save(model, path)
    given = {f"x{n}": np.asarray(x) for n, x in enumerate(inputs) if x is not None}
    wanted = ReferenceEvaluator(model).run(None, given)
    found = list(Runner(open_program(path)).run(given).values())
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == np.shape(theirs)
        assert ours.dtype == np.asarray(theirs).dtype
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def test_every_operator_is_compared() -> None:
    assert {kind for kind, *_ in CASES} | ALONE == set(OPERATORS)


@pytest.mark.parametrize(
    ("value", "kind"),
    [({"value_float": 1.5}, np.float32), ({"value_ints": [1, 2]}, np.int64), ({}, np.float32)],
)
def test_constants(value: dict[str, Any], kind: type, tmp_path: Path) -> None:
    given = value or {"value": numpy_helper.from_array(floats(2, 2))}
    node = helper.make_node("Constant", [], ["y"], **given)
    graph = helper.make_graph([node], "one", [], [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "one.onnx")
    (found,) = Runner(open_program(tmp_path / "one.onnx")).run({}).values()
    assert found.dtype == kind
    np.testing.assert_array_equal(found, ReferenceEvaluator(model).run(None, {})[0])


def test_the_error_function_is_exact_to_half_a_millionth() -> None:
    x = np.linspace(-6, 6, 10_001, dtype=np.float32)
    found = OPERATORS["Erf"](Attributes({}))(x)
    assert np.abs(found - [erf(each) for each in x]).max() < 5e-7


def test_negative_padding_cuts() -> None:
    pad = OPERATORS["Pad"](Attributes({}))
    np.testing.assert_array_equal(pad(wholes(1, 2, 3, 4), wholes(-1, 1)), [2, 3, 4, 0])


def test_a_convolution_takes_another_kernel_each_time() -> None:
    """It keeps the pieces of a kernel, but not for another one."""
    random = np.random.default_rng(3)
    x = random.normal(size=(1, 4, 30))
    again = OPERATORS["Conv"](Attributes({}))
    for _ in range(3):
        kernel = random.normal(size=(5, 4, 3))
        np.testing.assert_array_equal(
            again(x, kernel), OPERATORS["Conv"](Attributes({}))(x, kernel)
        )
