"""Weights of ONNX files, in floats, in 8 bits or in blocks of 4, under the names of their modules.

Exporters fold a map's transposition and lose its name: `onnx::MatMul_1022`. The node that reads it
still has that of its module, `/encoder/block.0/…/q/MatMul`, of which the weight's name is made. The
rules of rounded weights are those of DequantizeLinear (ONNX) and MatMulNBits (ONNX Runtime).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NoReturn

import numpy as np

from loquent.checkpoints.files.blocks import bfloat16
from loquent.checkpoints.files.container import Array, Bytes, Container, Kind, Tensor
from loquent.checkpoints.files.mapped import mapped
from loquent.checkpoints.files.onnx_graph import INT4, UINT4, Graph, Initializer, Node, read_graph
from loquent.errors import CheckpointError

METADATA = {"onnx": True}
_FLOATS = {1: ("F32", np.float32), 10: ("F16", np.float16), 11: ("F64", np.float64)}
_WHOLES = {2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
_BF16 = 16
_NAMELESS = "onnx::"
_PRODUCTS = ("MatMul", "MatMulInteger", "Gemm")


@dataclass(frozen=True)
class Weight:
    """A weight as the graph has it, put together from its parts when it is read."""

    part: Initializer  # that holds most of its bytes
    kind: str
    shape: tuple[int, ...]
    read: Callable[[], Array]

    def turned(self) -> "Weight":
        """The same as (out, in)."""
        return Weight(self.part, self.kind, self.shape[::-1], lambda: self.read().T)


class _Reader:
    """The values of the initializers of one file."""

    def __init__(self, data: Bytes, path: Path, graph: Graph) -> None:
        self._data, self._path, self._graph = data, path, graph

    def part(self, name: str) -> Initializer:
        """An initializer; raises CheckpointError where it is missing."""
        found = self._graph.initializers.get(name)
        if found is None:
            raise CheckpointError(f"tensor {name!r} is missing.", where=str(self._path))
        return found

    def values(self, part: Initializer) -> Array:
        """Values as stored, 4 bits as whole numbers of 8."""
        if part.numbers is not None:
            wide = np.array(part.numbers, np.uint64).astype(np.int64)
            return wide.astype(_WHOLES.get(part.type, np.int64)).reshape(part.shape)
        raw = self._data[part.place.start : part.place.end]
        if part.type in (UINT4, INT4):
            return self.nibbles(raw, part.type == INT4)[: prod(part.shape)].reshape(part.shape)
        if part.type == _BF16:
            return bfloat16(raw).reshape(part.shape)
        kinds = {number: kind for number, (_, kind) in _FLOATS.items()} | _WHOLES
        if part.type not in kinds:
            self.fail(part, f"is of ONNX type {part.type}, which is not read.")
        return raw.copy().view(kinds[part.type]).reshape(part.shape)

    @staticmethod
    def nibbles(raw: Bytes, signed: bool = False) -> Array:
        """Two values of each byte, the lower half first."""
        both = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1)
        return ((both.astype(np.int8) ^ 8) - 8) if signed else both

    def plain(self, part: Initializer) -> Weight:
        """A weight as it is stored."""
        kind = {**{key: name for key, (name, _) in _FLOATS.items()}, _BF16: "BF16"}
        name = kind.get(part.type, f"ONNX {part.type}")
        return Weight(part, name, part.shape, lambda: self.values(part))

    def rounded(self, part: Initializer, scale: str, zero: str, axis: int, block: int) -> Weight:
        """(values - zero) · scale, one of each for all, for a place of the axis, or for a block."""
        scales = self.part(scale)
        zeros = self.part(zero) if zero else None
        self._check(part, scales, axis, block)
        if zeros is not None and zeros.shape != scales.shape:
            self.fail(part, "has another number of zero points than of scales.")

        def spread(values: Array) -> Array:
            if block:
                many = values.repeat(block, axis=axis)
                return many.take(np.arange(part.shape[axis]), axis=axis)
            if values.ndim == 0 or values.size == 1:
                return values.reshape(())
            wide = [1] * len(part.shape)
            wide[axis] = -1
            return values.reshape(wide)

        def read() -> Array:
            values = self.values(part).astype(np.float32)
            if zeros is not None:
                values -= spread(self.values(zeros).astype(np.float32))
            return values * spread(self.values(scales).astype(np.float32))

        bits = 4 if part.type in (UINT4, INT4) else 8
        return Weight(part, f"INT{bits}", part.shape, read)

    def blocks(self, node: Node) -> Weight:
        """A map (out, in) of MatMulNBits: 4 bits in blocks along `in`, each with a scale."""
        rows, columns = node.numbers.get("N", 0), node.numbers.get("K", 0)
        block = node.numbers.get("block_size", 0)
        part, scales = self.part(node.inputs[1]), self.part(node.inputs[2])
        zeros = self.part(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] else None
        if node.numbers.get("bits", 4) != 4 or block < 16 or rows < 1 or columns < 1:
            self.fail(part, "is read by MatMulNBits in another way than 4 bits in blocks.")
        count = -(-columns // block)
        fits = (
            part.type == 2
            and prod(part.shape) * 2 == rows * count * block
            and prod(scales.shape) == rows * count
            and (zeros is None or (zeros.type == 2 and prod(zeros.shape) == rows * -(-count // 2)))
        )
        if not fits:
            self.fail(part, f"has not the bytes, scales and zero points of ({rows}, {columns}).")

        def read() -> Array:
            values = self.nibbles(self.values(part).reshape(-1)).reshape(rows, count, block)
            zero: Array = np.full((rows, count), 8, np.float32)
            if zeros is not None:
                packed = self.nibbles(self.values(zeros).reshape(-1)).reshape(rows, -1)
                zero = packed[:, :count].astype(np.float32)
            scale = self.values(scales).astype(np.float32).reshape(rows, count, 1)
            made = (values.astype(np.float32) - zero[:, :, None]) * scale
            return made.reshape(rows, -1)[:, :columns]

        return Weight(part, "INT4", (rows, columns), read)

    def _check(self, part: Initializer, scales: Initializer, axis: int, block: int) -> None:
        if prod(scales.shape) == 1 and not block:
            return
        if not 0 <= axis < len(part.shape):
            self.fail(part, f"has no axis {axis} for its scales.")
        wanted = list(part.shape)
        wanted[axis] = -(-wanted[axis] // block) if block else wanted[axis]
        fits = list(scales.shape) == (wanted if block else [part.shape[axis]])
        if block < 0 or not fits:
            self.fail(part, f"has scales of the shape {scales.shape}, which do not fit it.")

    def fail(self, part: Initializer, what: str) -> NoReturn:
        """Raise CheckpointError with the tensor and its byte."""
        raise CheckpointError(
            f"tensor {part.name[:200]!r} {what}", where=f"{self._path}: byte {part.place.start}"
        )


def open_onnx(path: Path) -> Container:
    """Open one file; raises CheckpointError with the tensor or byte that is not as it should be."""
    data = mapped(path)
    graph = read_graph(data, path)
    reader = _Reader(data, path, graph)
    weights = dict(_weights(reader, graph))
    tensors = {name: _tensor(name, each, data, path) for name, each in weights.items()}
    return Container(tensors, (path,), METADATA)


def open_pair(encoder: Path, decoder: Path) -> Container:
    """An encoder and a decoder in files of their own; what wraps the modules' names is left out.

    Raises CheckpointError as `open_onnx` does.
    """
    first, second = open_onnx(encoder), open_onnx(decoder)
    tensors = {
        **{f"encoder.{_inside(name, first)}": each for name, each in first.tensors.items()},
        **{_inside(name, second, "decoder"): each for name, each in second.tensors.items()},
    }
    return Container(tensors, (encoder, decoder), METADATA)


def _inside(name: str, container: Container, kept: str = "") -> str:
    """A name without the one that all names of a file begin with, unless it is `kept`."""
    begins = {each.partition(".")[0] for each in container}
    return name.partition(".")[2] if len(begins) == 1 and begins != {kept} else name


def _weights(reader: _Reader, graph: Graph) -> Iterator[tuple[str, Weight]]:
    """Every weight that the graph reads, by the name of its module."""
    made: dict[str, Weight] = {}  # by the name that nodes read it by
    beside: set[str] = set()  # scales and zero points
    for name, part in graph.initializers.items():
        base = name.removesuffix("_quantized")
        scale, zero = f"{base}_scale", f"{base}_zero_point"
        if base != name and scale in graph.initializers:
            zero = zero if zero in graph.initializers else ""
            made[name] = reader.rounded(part, scale, zero, len(part.shape) - 1, 0)
            beside |= {scale, zero}
    for node in graph.nodes:
        if node.kind == "DequantizeLinear" and node.inputs[0] in graph.initializers:
            beside.update(node.inputs[1:])
            if node.inputs[0] in made:  # what the names of its parts say, too
                made[node.outputs[0]] = made[node.inputs[0]]
                continue
            part = reader.part(node.inputs[0])
            axis = node.numbers.get("axis", 1)
            zero = node.inputs[2] if len(node.inputs) > 2 else ""
            block = node.numbers.get("block_size", 0)
            made[node.outputs[0]] = reader.rounded(
                part, node.inputs[1], zero, axis % max(len(part.shape), 1), block
            )
            beside.add(part.name)
    for name, part in graph.initializers.items():
        if name not in made and name not in beside and part.type in (*_FLOATS, _BF16):
            made[name] = reader.plain(part)
    yield from _named(reader, graph, made)


def _named(reader: _Reader, graph: Graph, made: dict[str, Weight]) -> Iterator[tuple[str, Weight]]:
    found: set[str] = set()
    for node in graph.nodes:
        module = node.name.strip("/").rpartition("/")[0].replace("/", ".")
        if node.kind == "MatMulNBits" and len(node.inputs) > 2 and module:
            found.update(node.inputs[1:])
            yield f"{module}.weight", reader.blocks(node)
        elif node.kind in _PRODUCTS and len(node.inputs) > 1 and node.inputs[1] in made:
            name, weight = node.inputs[1], made[node.inputs[1]]
            nameless = weight.part.name.startswith(_NAMELESS)
            if module and nameless and len(weight.shape) == 2:
                found |= {name, weight.part.name}
                turned = node.kind != "Gemm" or not node.numbers.get("transB", 0)
                yield f"{module}.weight", weight.turned() if turned else weight
    seen: set[str] = set()
    for name, weight in made.items():
        own = weight.part.name.removesuffix("_quantized")
        if name not in found and weight.part.name not in found and own not in seen:
            seen.add(own)
            yield own, weight


def _tensor(name: str, weight: Weight, data: Bytes, path: Path) -> Tensor:
    place = weight.part.place
    raw = data[place.start : place.end]
    values = prod(weight.shape)

    def decode(_: Bytes) -> Array:
        return np.ascontiguousarray(weight.read())

    kind = Kind(weight.kind, max(values, 1), max(raw.nbytes, 1), decode)
    return Tensor(name, weight.shape, kind, raw, f"{path}: byte {place.start}")
