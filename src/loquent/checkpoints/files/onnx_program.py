"""ONNX files as programs: not only the weights, but the steps that read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from loquent.checkpoints.files.blocks import bfloat16
from loquent.checkpoints.files.container import Bytes
from loquent.checkpoints.files.mapped import mapped
from loquent.checkpoints.files.onnx_graph import (
    Initializer,
    Message,
    Node,
    Span,
    initializer,
    read_graph,
)
from loquent.errors import CheckpointError
from loquent.graphs.program import Array, Attribute, Program, Step

VERSIONS = range(13, 23)  # of the set of operators, between which those used here mean the same
_TYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16,
    11: np.float64,
}  # fmt: skip
_BF16 = 16
_SINGLE, _MANY = (2, 3, 4), (7, 8, 9)  # fields of one value, and of several
_MOST_NUMBERS = 2**16  # of an attribute


def open_program(path: Path) -> Program:
    """The program of a file; raises CheckpointError with what is not as it should be.

    Weights stay in the file until a step reads them.
    """
    data = mapped(path)
    graph = read_graph(data, path)
    if graph.version not in VERSIONS:
        raise CheckpointError(
            f"is of ONNX operators {graph.version}; {VERSIONS[0]} to {VERSIONS[-1]} are executed.",
            where=str(path),
        )
    constants = {name: _values(part, data, path) for name, part in graph.initializers.items()}
    steps = tuple(_step(node, data, path) for node in graph.nodes)
    return Program(constants, steps, graph.inputs, graph.outputs, str(path))


def _values(part: Initializer, data: Bytes, path: Path) -> Array:
    if part.numbers is not None:
        wide = np.array(part.numbers, np.uint64).astype(np.int64)
        return wide.astype(_TYPES.get(part.type, np.int64)).reshape(part.shape)
    raw = data[part.place.start : part.place.end]
    if part.type == _BF16:
        return bfloat16(raw).reshape(part.shape)
    if part.type not in _TYPES:
        raise CheckpointError(
            f"tensor {part.name[:200]!r} is of ONNX type {part.type}, which is not read.",
            where=f"{path}: byte {part.place.start}",
        )
    return raw.copy().view(_TYPES[part.type]).reshape(part.shape)  # aligned, unlike the file


def _step(node: Node, data: Bytes, path: Path) -> Step:
    message = Message(data, path, node.place)
    attributes: dict[str, Attribute] = {}
    for number, value in message.fields():
        if number == 5:
            attributes.update(_attribute(message.inner(value), data, path))
        elif number == 7 and isinstance(value, Span) and value.end > value.start:
            domain = message.text(value)
            if domain not in ("", "ai.onnx"):
                message.fail(f"step {node.name!r} is of the operators {domain!r}.", message.start)
    return Step(node.kind, node.inputs, node.outputs, attributes, node.name)


def _attribute(message: Message, data: Bytes, path: Path) -> Iterator[tuple[str, Attribute]]:
    """The name and value of an attribute, by the field that holds it."""
    name, made = "", dict[int, list[Any]]()
    for number, value in message.fields():
        if number == 1:
            name = message.text(value)
        elif number in (6, 10, 11):
            message.fail(f"attribute {name!r} holds graphs or several tensors.", message.start)
        elif number == 5:
            made[5] = [_values(initializer(message.inner(value)), data, path)]
        elif number in (*_SINGLE, *_MANY):
            made.setdefault(number, []).extend(_plain(message, number, value, data))
        if any(len(each) > _MOST_NUMBERS for each in made.values()):
            message.fail(f"attribute {name!r} has too many values.", message.start)
    for number, values in made.items():
        yield name, tuple(values) if number in _MANY else values[-1]


def _plain(message: Message, number: int, value: int | Span, data: Bytes) -> list[Any]:
    """The values of one field: numbers or words."""
    if number in (2, 7) and isinstance(value, Span):
        return [_real(data, Span(at, at + 4)) for at in range(value.start, value.end - 3, 4)]
    if number in (3, 8):
        return [_signed(each) for each in message.whole(value)]
    return [message.text(value)]


def _real(data: Bytes, span: Span) -> float:
    return float(data[span.start : span.end].copy().view(np.float32)[0])


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
