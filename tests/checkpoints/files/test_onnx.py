"""ONNX files as the package `onnx` writes them, and such files damaged."""

import random
from pathlib import Path

import numpy as np
import pytest

from loquent.checkpoints.files.onnx import open_onnx
from loquent.errors import CheckpointError

onnx = pytest.importorskip("onnx")
CHANCE = np.random.default_rng(0)


def saved(path: Path, nodes: list, initializers: list) -> Path:
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 8])
    graph = helper.make_graph(nodes, "tiny", [value], [value], initializers)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def tensor(name: str, array: np.ndarray) -> object:
    return onnx.numpy_helper.from_array(array, name)


@pytest.fixture
def file(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """One weight of each kind, and what each should be read as."""
    node, wide = onnx.helper.make_node, np.float32
    plain, halves = CHANCE.normal(size=(3, 8)).astype(wide), np.arange(4, dtype=np.float16)
    folded = CHANCE.normal(size=(8, 5)).astype(wide)
    codes = CHANCE.integers(-127, 128, (8, 5), np.int8)
    columns, zeros = CHANCE.integers(0, 256, (8, 5), np.uint8), np.arange(5, dtype=np.uint8)
    scales = CHANCE.uniform(0.1, 1, 5).astype(wide)
    nibbles = CHANCE.integers(0, 256, (5, 2, 16), np.uint8)  # 5 rows of 48 in blocks of 32
    block_scales = CHANCE.uniform(0.1, 1, 10).astype(wide)
    block_zeros = CHANCE.integers(0, 256, 5, np.uint8)
    numbers = {"K": 48, "N": 5, "bits": 4, "block_size": 32}
    blocks = ["x", "q", "q_s", "q_z"]
    path = saved(
        tmp_path / "tiny.onnx",
        [
            node("MatMul", ["x", "onnx::MatMul_1"], ["a"], "/m/first/MatMul"),
            node("MatMulInteger", ["x", "onnx::MatMul_2_quantized"], ["b"], "/m/second/MatMul_q"),
            node("DequantizeLinear", ["third", "t_s", "t_z"], ["c"], "/m/third/Dequantize", axis=1),
            node("MatMulNBits", blocks, ["d"], "/m/fourth/MatMulNBits", **numbers),
        ],
        [
            tensor("m.plain", plain),
            tensor("m.halves", halves),
            tensor("onnx::MatMul_1", folded),
            tensor("onnx::MatMul_2_quantized", codes),
            onnx.helper.make_tensor("onnx::MatMul_2_scale", 1, [], [0.25]),
            onnx.helper.make_tensor("onnx::MatMul_2_zero_point", 3, [], [-3]),
            *(tensor("third", columns), tensor("t_s", scales), tensor("t_z", zeros)),
            *(tensor("q", nibbles), tensor("q_s", block_scales), tensor("q_z", block_zeros)),
            tensor("/shape", np.array([1, 2], np.int64)),
        ],
    )
    rows = np.stack([nibbles & 15, nibbles >> 4], -1).reshape(5, 2, 32).astype(wide)
    offsets = np.stack([block_zeros & 15, block_zeros >> 4], -1).astype(wide)
    return path, {
        "m.plain": plain,
        "m.halves": halves,
        "m.first.weight": folded.T,
        "m.second.weight": ((codes.astype(wide) + 3) * wide(0.25)).T,
        "third": (columns.astype(wide) - zeros.astype(wide)) * scales,
        "m.fourth.weight": (
            (rows - offsets[:, :, None]) * block_scales.reshape(5, 2, 1)
        ).reshape(5, 64)[:, :48],
    }  # fmt: skip


def test_each_kind_is_read_under_its_name(file: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, expected = file
    found = open_onnx(path)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found.shape(name) == array.shape, name
        assert np.array_equal(found[name], array), name


def test_damaged_files_are_refused_or_harmless(file: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, _ = file
    whole, chance, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(600):
        data = bytearray(whole)
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 9))
            case _:
                del data[at:]
        path.write_bytes(data or b"\0")
        try:
            found = open_onnx(path)
            for name in found:
                assert found[name].nbytes < 10_000
        except CheckpointError as fault:
            refused += 1
            assert str(path) in str(fault)
    assert refused > 300


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    far = tensor("far", np.ones((2, 2), np.float32))
    far.data_location = onnx.TensorProto.EXTERNAL  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match="lies in another file"):
        open_onnx(saved(tmp_path / "far.onnx", [], [far]))
