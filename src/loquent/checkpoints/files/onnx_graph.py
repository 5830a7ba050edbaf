"""What an ONNX file holds of weights: its initializers and the nodes that read them.

The file is a protocol buffer (onnx/onnx.proto); only its few fields that say this are looked at.
Every length is checked against the message around it, and no value is read here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import NamedTuple, NoReturn

from loquent.checkpoints.files.container import Bytes
from loquent.errors import CheckpointError

_INITIALIZERS = 2**16  # more than any published file holds
_NODES = 2**18
_NAME_BYTES = 2**12
_RANK = 16
_WIDTHS = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 16: 2}  # bytes of a value by type
UINT4, INT4 = 21, 22  # two values in a byte
_FLOATS, _WHOLE = 4, 5  # fields for values that are not stored as bytes


class Span(NamedTuple):
    """Bytes of the file."""

    start: int
    end: int


@dataclass(frozen=True)
class Initializer:
    """A tensor that the file holds: its type, by ONNX's number, its shape and its bytes."""

    name: str
    type: int
    shape: tuple[int, ...]
    place: Span
    numbers: tuple[int, ...] | None = None  # where a small one is stored as numbers, not as bytes


@dataclass(frozen=True)
class Node:
    """A step of the graph."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Mapping[str, int]  # attributes that are whole numbers
    place: Span


@dataclass(frozen=True)
class Graph:
    """What one file says."""

    initializers: Mapping[str, Initializer]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...] = ()  # without those that are initializers
    outputs: tuple[str, ...] = ()
    version: int = 0  # of the set of operators


class Message:
    """A part of the file that is one message."""

    def __init__(self, data: Bytes, path: Path, span: Span) -> None:
        self._data, self._path, self._span = data.data, path, span

    def fail(self, what: str, at: int) -> NoReturn:
        """Raise CheckpointError with the file and the byte."""
        raise CheckpointError(what, where=f"{self._path}: byte {at}")

    def fields(self) -> Iterator[tuple[int, int | Span]]:
        """The number of each field with its value: a whole number, or where its bytes stand."""
        at, end = self._span
        while at < end:
            start = at
            key, at = self._varint(at)
            number, kind = key >> 3, key & 7
            if number == 0 or kind not in (0, 1, 2, 5):
                self.fail("is no ONNX file: a field with an impossible key.", start)
            if kind == 0:
                value, at = self._varint(at)
                yield number, value
                continue
            length = {1: 8, 5: 4}.get(kind, 0)
            if kind == 2:
                length, at = self._varint(at)
            if length > end - at:
                self.fail(f"a field of {length} bytes, where {end - at} are left.", start)
            yield number, Span(at, at + length)
            at += length

    def text(self, span: int | Span) -> str:
        """A field of bytes as a name."""
        if not isinstance(span, Span) or span.end - span.start > _NAME_BYTES:
            self.fail("a name that is none, or too long.", self._span.start)
        try:
            return bytes(self._data[span.start : span.end]).decode("utf-8")
        except UnicodeDecodeError:
            self.fail("a name that is not UTF-8.", span.start)

    def whole(self, value: int | Span) -> list[int]:
        """One whole number, or several packed into bytes."""
        if isinstance(value, int):
            return [value]
        made, at = [], value.start
        while at < value.end:
            number, at = self._varint(at)
            made.append(number)
            if len(made) > _NAME_BYTES:
                self.fail("more numbers than a small tensor has.", value.start)
        return made

    def inner(self, span: int | Span) -> "Message":
        """A message within this one."""
        if not isinstance(span, Span):
            self.fail("a number where a message is expected.", self._span.start)
        return Message(self._data.obj, self._path, span)  # type: ignore[arg-type]

    @property
    def start(self) -> int:
        """The first byte."""
        return self._span.start

    @property
    def span(self) -> Span:
        """Where it stands."""
        return self._span

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= self._span.end:
                self.fail("ends inside a number.", at)
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at
        self.fail("a number of over 10 bytes.", at - 10)


def read_graph(data: Bytes, path: Path) -> Graph:
    """The graph of a file; raises CheckpointError with the byte that is not as it should be."""
    whole = Message(data, path, Span(0, len(data)))
    graphs = [value for number, value in whole.fields() if number == 7]
    if len(graphs) != 1:
        whole.fail(f"is no ONNX file: it has {len(graphs)} graphs.", 0)
    graph = whole.inner(graphs[0])
    initializers: dict[str, Initializer] = {}
    nodes: list[Node] = []
    ends: dict[int, list[str]] = {11: [], 12: []}
    for number, value in graph.fields():
        if number == 1:
            nodes.append(_node(graph.inner(value)))
        elif number == 5:
            made = initializer(graph.inner(value))
            if made.name in initializers:
                graph.fail(f"tensor {made.name!r} is there twice.", made.place.start)
            initializers[made.name] = made
        elif number in ends:
            ends[number].append(_named(graph.inner(value)))
        if len(initializers) > _INITIALIZERS or len(nodes) > _NODES:
            graph.fail("more tensors or nodes than any published file has.", graph.start)
    inputs = tuple(each for each in ends[11] if each not in initializers)
    return Graph(initializers, tuple(nodes), inputs, tuple(ends[12]), _version(whole))


def _named(message: Message) -> str:
    """The name of an input or output."""
    return next((message.text(value) for number, value in message.fields() if number == 1), "")


def _version(whole: Message) -> int:
    """The version of the operators of ONNX itself; 0 where none is told."""
    for number, value in whole.fields():
        if number == 8:
            found = dict(whole.inner(value).fields())
            domain = found.get(1, "")
            named = whole.text(domain) if isinstance(domain, Span) else ""
            version = found.get(2, 0)
            if named in ("", "ai.onnx") and isinstance(version, int):
                return version
    return 0


def _node(message: Message) -> Node:
    name = kind = ""
    inputs: list[str] = []
    outputs: list[str] = []
    numbers: dict[str, int] = {}
    for number, value in message.fields():
        if number == 1:
            inputs.append(message.text(value))
        elif number == 2:
            outputs.append(message.text(value))
        elif number == 3:
            name = message.text(value)
        elif number == 4:
            kind = message.text(value)
        elif number == 5:
            numbers.update(_attribute(message.inner(value)))
    return Node(name, kind, tuple(inputs), tuple(outputs), numbers, message.span)


def _attribute(message: Message) -> Mapping[str, int]:
    name, found = "", None
    for number, value in message.fields():
        if number == 1:
            name = message.text(value)
        elif number == 3 and isinstance(value, int):
            found = value
    return {} if found is None else {name: found - (1 << 64) if found >> 63 else found}


def initializer(message: Message) -> Initializer:
    """A tensor as a message; raises CheckpointError where its bytes do not fit its shape."""
    name, kind, shape = "", 0, list[int]()
    place: Span | None = None
    numbers: list[int] | None = None
    floats = False
    for number, value in message.fields():
        if number == 1:
            shape += message.whole(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8:
            name = message.text(value)
        elif number == 9 and isinstance(value, Span):
            place = value
        elif number == _FLOATS and isinstance(value, Span):
            place, floats = value, True
        elif number == _WHOLE:
            numbers = (numbers or []) + message.whole(value)
        elif number == 13 or (number == 14 and value):
            message.fail(f"tensor {name!r} lies in another file, which is not read.", message.start)
    rest = Initializer(name, kind, tuple(shape), place or Span(message.start, message.start))
    count, stored = prod(shape), rest.place.end - rest.place.start
    needed = (count + 1) // 2 if kind in (UINT4, INT4) else count * _WIDTHS.get(kind, 0)
    known = kind in _WIDTHS or kind in (UINT4, INT4)  # of others nothing is read
    for wrong, what in (
        (len(shape) > _RANK or count >= 1 << 62, "has an impossible shape."),
        (floats and kind != 1, f"has floats, but is of type {kind}."),
        (
            numbers is not None and len(numbers) != count,
            "has more or fewer numbers than its shape.",
        ),
        (
            known and numbers is None and stored != needed,
            f"has {stored} bytes, but its shape needs {needed}.",
        ),
    ):
        if wrong:
            message.fail(f"tensor {name[:200]!r} {what}", rest.place.start)
    return replace(rest, numbers=None if numbers is None else tuple(numbers))
