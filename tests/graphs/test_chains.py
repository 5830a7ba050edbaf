"""Convolutions of a graph and what stands between them become chains, and give the same."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from loquent.checkpoints.files.onnx_program import open_program
from loquent.graphs.runner import Runner

DRAWN = np.random.default_rng(2)


def floats(*shape: int) -> np.ndarray:
    return (DRAWN.normal(size=shape) / 4).astype(np.float32)


def opened(path: Path, nodes: list[Any], outputs: tuple[str, ...] = ("y",)) -> list[Runner]:
    """The graph, fused and as it is."""
    constants = {
        "up": floats(6, 8, 9), "a": floats(8, 8, 3), "b": floats(8, 8, 5), "c": floats(1, 8, 7),
        "bias": floats(8), "three": np.array(3, np.float32), "half": np.array([0.5], np.float32),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "waves",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_empty_tensor_value_info(each) for each in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    program = open_program(path)
    return [Runner(program), Runner(program, fuse=False)]


def kinds(runner: Runner) -> list[str]:
    return [each.kind for each, _ in runner._steps]


def same(runners: list[Runner], length: int, batch: int = 1) -> None:
    x = DRAWN.normal(size=(batch, 6, length)).astype(np.float32)
    made, wanted = (each.run({"x": x}) for each in runners)
    for name, value in wanted.items():
        np.testing.assert_allclose(made[name], value, atol=2e-6)


node = helper.make_node
STAGE = [
    node("LeakyRelu", ["x"], ["bent"], alpha=0.1),
    node(
        "ConvTranspose", ["bent", "up", "bias"], ["s"], strides=[4], pads=[2, 2], output_padding=[1]
    ),
    node("LeakyRelu", ["s"], ["sb"], alpha=0.1),
    node("Conv", ["sb", "a", "bias"], ["a1"], pads=[2, 2], dilations=[2]),
    node("Add", ["a1", "s"], ["a2"]),
    node("LeakyRelu", ["a2"], ["a3"], alpha=0.1),
    node("Conv", ["a3", "b"], ["a4"], pads=[12, 12], dilations=[6]),
    node("Add", ["a2", "a4"], ["a5"]),
    node("Conv", ["sb", "b", "bias"], ["b1"], pads=[2, 2]),
    node("Add", ["b1", "s"], ["b2"]),
    node("Add", ["a5", "b2"], ["both"]),
    node("Div", ["both", "three"], ["less"]),
]
END = [
    node("LeakyRelu", ["less"], ["end"], alpha=0.01),
    node("Conv", ["end", "c"], ["flat"], pads=[3, 3]),
    node("Tanh", ["flat"], ["y"]),
]


@pytest.mark.parametrize("length", [1, 7, 2000])
def test_a_stage_is_one_step(tmp_path: Path, length: int) -> None:
    runners = opened(tmp_path / "s.onnx", [*STAGE, *END])
    assert kinds(runners[0]) == ["Chain"]
    same(runners, length)
    same(runners, length, batch=2)


def test_a_stage_ends_before_the_next(tmp_path: Path) -> None:
    nodes = [*STAGE, node("LeakyRelu", ["less"], ["y"], alpha=0.2)]
    runners = opened(tmp_path / "t.onnx", nodes)
    assert kinds(runners[0]) == ["Chain"]
    same(runners, 700)


def test_what_others_read_too_stays(tmp_path: Path) -> None:
    """Two results of one chain: each convolution is a step of its own."""
    nodes = [*STAGE, *END, node("Abs", ["a2"], ["z"])]
    runners = opened(tmp_path / "z.onnx", nodes, ("y", "z"))
    assert kinds(runners[0]).count("Chain") == 5
    assert "LeakyRelu" in kinds(runners[0])
    same(runners, 300)


def test_sums_and_factors_that_do_not_fit_stay(tmp_path: Path) -> None:
    nodes = [
        node("ConvTranspose", ["x", "up"], ["s"], strides=[4]),
        node("Conv", ["s", "a"], ["a1"], pads=[1, 1]),
        node("Mul", ["a1", "half"], ["a2"]),
        node("Add", ["a2", "s"], ["a3"]),  # behind a factor
        node("Add", ["a3", "three"], ["y"]),
    ]
    runners = opened(tmp_path / "f.onnx", nodes)
    same(runners, 100)
    assert kinds(runners[0]).count("Add") == 2
