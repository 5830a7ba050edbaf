"""Programs: folded, fused, run; and refused by name where they cannot be."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from loquent.checkpoints.files.onnx_program import open_program
from loquent.errors import CheckpointError, RequestError
from loquent.graphs.program import Program, Step
from loquent.graphs.runner import Runner

DRAWN = np.random.default_rng(1)


def saved(
    path: Path, nodes: Sequence[Any], constants: dict[str, np.ndarray], version: int = 17
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "several",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    onnx.save(model, path)
    return model


def quantized(path: Path) -> onnx.ModelProto:
    """A product in 8 bits as ONNX Runtime's quantizer writes it, and a GELU behind it."""
    node = helper.make_node
    return saved(
        path,
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("MatMulInteger", ["q", "w", "z", "wz"], ["whole"]),
            node("Cast", ["whole"], ["real"], to=TensorProto.FLOAT),
            node("Mul", ["s", "ws"], ["scale"]),
            node("Mul", ["real", "scale"], ["product"]),
            node("Div", ["product", "root"], ["d"]),
            node("Erf", ["d"], ["e"]),
            node("Add", ["e", "one"], ["a"]),
            node("Mul", ["product", "a"], ["m"]),
            node("Mul", ["m", "half"], ["y"]),
        ],
        {
            "w": DRAWN.integers(-127, 128, (32, 8)).astype(np.int8),
            "wz": np.array(3, np.int8),
            "ws": np.array(0.01, np.float32),
            "root": np.array(2**0.5, np.float32),
            "one": np.array(1, np.float32),
            "half": np.array(0.5, np.float32),
        },
    )


def test_fused_is_the_exact_product_of_which_the_file_gives_a_rounded_one(tmp_path: Path) -> None:
    model = quantized(tmp_path / "q.onnx")
    program = open_program(tmp_path / "q.onnx")
    x = DRAWN.normal(size=(5, 32)).astype(np.float32)
    fused, plain = Runner(program), Runner(program, fuse=False)
    assert [each.kind for each, _ in fused._steps] == ["Map"]
    assert len(plain._steps) == 10
    wanted = ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(plain.run({"x": x})["y"], wanted, atol=1e-5)
    found = fused.run({"x": x})["y"]
    constants = program.constants
    weight = (constants["w"].astype(np.float64) - 3) * 0.01
    product = x.astype(np.float64) @ weight
    erf = np.vectorize(__import__("math").erf)
    exact = product * 0.5 * (1 + erf(product / 2**0.5))
    np.testing.assert_allclose(found, exact, atol=2e-5)
    assert 1e-4 < np.abs(wanted - exact).max() < 0.1  # what rounding to 8 bits costs
    eight = Runner(program, precision="int8").run({"x": x})["y"]
    assert 1e-5 < np.abs(eight - exact).max() < 0.1


def convolutional(path: Path) -> None:
    """A block of ConvNeXt: channels by themselves, norm, two maps with a GELU, and the sum."""
    node = helper.make_node
    saved(
        path,
        [
            node("Relu", ["x"], ["start"]),
            node("Add", ["start", "start"], ["twice"]),
            node("Conv", ["twice", "k", "kb"], ["deep"], group=32, pads=[2, 2]),
            node("Transpose", ["deep"], ["rows"], perm=[0, 2, 1]),
            node("LayerNormalization", ["rows", "g", "h"], ["normed"], epsilon=1e-4),
            node("MatMul", ["normed", "w1"], ["m1"]),
            node("Add", ["m1", "b1"], ["a1"]),
            node("Div", ["a1", "root"], ["d"]),
            node("Erf", ["d"], ["e"]),
            node("Add", ["e", "one"], ["p"]),
            node("Mul", ["a1", "p"], ["m"]),
            node("Mul", ["m", "half"], ["bent"]),
            node("MatMul", ["bent", "w2"], ["m2"]),
            node("Add", ["b2", "m2"], ["a2"]),
            node("Transpose", ["a2"], ["back"], perm=[0, 2, 1]),
            node("Add", ["twice", "back"], ["y"]),
        ],
        {
            "k": DRAWN.normal(size=(32, 1, 5)).astype(np.float32),
            "kb": DRAWN.normal(size=32).astype(np.float32),
            "g": DRAWN.normal(size=32).astype(np.float32),
            "h": DRAWN.normal(size=32).astype(np.float32),
            "w1": DRAWN.normal(size=(32, 70)).astype(np.float32),
            "b1": DRAWN.normal(size=70).astype(np.float32),
            "w2": DRAWN.normal(size=(70, 32)).astype(np.float32) / 8,
            "b2": DRAWN.normal(size=32).astype(np.float32),
            "root": np.array(2**0.5, np.float32),
            "one": np.array(1, np.float32),
            "half": np.array(0.5, np.float32),
        },
    )


def test_a_block_of_convolutions_is_five_steps_with_the_same_result(tmp_path: Path) -> None:
    convolutional(tmp_path / "c.onnx")
    program = open_program(tmp_path / "c.onnx")
    fused, plain = Runner(program), Runner(program, fuse=False)
    assert [each.kind for each, _ in fused._steps] == ["Relu", "Add", "Conv", "Map", "Map"]
    for length in (1, 5, 64, 200):
        x = DRAWN.normal(size=(1, 32, length)).astype(np.float32)
        wanted = plain.run({"x": x})["y"]
        np.testing.assert_allclose(fused.run({"x": x})["y"], wanted, atol=2e-5)


def test_what_does_not_depend_on_the_inputs_is_computed_once(tmp_path: Path) -> None:
    node = helper.make_node
    saved(
        tmp_path / "f.onnx",
        [node("Add", ["c", "c"], ["d"]), node("Exp", ["d"], ["e"]), node("Mul", ["x", "e"], ["y"])],
        {"c": np.ones(3, np.float32)},
    )
    runner = Runner(open_program(tmp_path / "f.onnx"))
    assert [each.kind for each, _ in runner._steps] == ["Mul"]
    np.testing.assert_allclose(runner.run({"x": np.ones(3, np.float32)})["y"], np.exp(2.0))


def test_random_steps_draw_from_the_given_generator(tmp_path: Path) -> None:
    saved(
        tmp_path / "r.onnx",
        [helper.make_node("RandomNormalLike", ["x"], ["y"], scale=2.0, mean=1.0)],
        {},
    )
    runner = Runner(open_program(tmp_path / "r.onnx"))
    x = np.zeros((4, 5), np.float32)
    first, again, other = (
        runner.run({"x": x}, np.random.default_rng(seed))["y"] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(
        first, np.random.default_rng(3).standard_normal((4, 5), np.float32) * 2 + 1
    )


def test_unknown_operators_are_named(tmp_path: Path) -> None:
    saved(tmp_path / "u.onnx", [helper.make_node("Einsum", ["x"], ["y"], equation="a->a")], {})
    with pytest.raises(CheckpointError, match="operators that are not executed: Einsum"):
        Runner(open_program(tmp_path / "u.onnx"))


def test_operators_of_others_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "d.onnx", [helper.make_node("Relu", ["x"], ["y"], domain="com.other")], {})
    with pytest.raises(CheckpointError, match=r"of the operators 'com\.other'"):
        open_program(tmp_path / "d.onnx")


def test_an_old_set_of_operators_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "o.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, version=11)
    with pytest.raises(CheckpointError, match="ONNX operators 11; 13 to 22 are executed"):
        open_program(tmp_path / "o.onnx")


def test_graphs_within_graphs_are_refused(tmp_path: Path) -> None:
    inner = helper.make_graph([], "inner", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    saved(tmp_path / "g.onnx", [node], {})
    with pytest.raises(CheckpointError, match="holds graphs"):
        open_program(tmp_path / "g.onnx")


def test_missing_inputs_and_shapes_that_do_not_fit_are_told(tmp_path: Path) -> None:
    saved(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="/decoder/map")],
        {"w": np.ones((3, 2), np.float32)},
    )
    runner = Runner(open_program(tmp_path / "m.onnx"))
    with pytest.raises(RequestError, match="needs the inputs x"):
        runner.run({})
    with pytest.raises(CheckpointError, match=r"'/decoder/map' \(Map\) cannot be executed"):
        runner.run({"x": np.ones((2, 5), np.float32)})


def test_what_nothing_makes_is_told() -> None:
    step = Step("Relu", ("a",), ("y",), {})
    with pytest.raises(CheckpointError, match="reads 'a', which nothing makes"):
        Runner(Program({}, (step,), ("x",), ("y",)))


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("Expand", [np.ones(1, np.float32), np.array([1 << 20, 1 << 20])]),
        ("ConstantOfShape", [np.array([1 << 40])]),
        ("Tile", [np.ones(1 << 10, np.float32), np.array([1 << 30])]),
        ("Range", [np.int64(0), np.int64(1 << 50), np.int64(1)]),
    ],
)
def test_no_step_takes_memory_without_bounds(kind: str, inputs: list[Any]) -> None:
    names = tuple(f"x{place}" for place in range(len(inputs)))
    program = Program({}, (Step(kind, names, ("y",), {}),), names, ("y",))
    with pytest.raises(CheckpointError, match="would make an array"):
        Runner(program).run(dict(zip(names, map(np.asarray, inputs), strict=True)))
