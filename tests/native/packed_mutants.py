"""Opens packed files with planted faults, in a process of its own: a crash would end it.

    python packed_mutants.py FOLDER FIRST COUNT

FOLDER holds whole packed files; each mutant is one of them with one to three changes that its
number determines, most of them with all sums and offsets put right again. Tells on stdout what
became of each: "refused", "stepped" or "wrong: …".
"""

import json
import random
import re
import resource
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from loquent.engine.native_network import NativeNetwork
from loquent.engine.network import Text, Tokens
from loquent.errors import CheckpointError, RequestError
from loquent.native._core import checksum

HEADER = struct.Struct("<8sIIQQQ24x")
ENTRY = struct.Struct("<IIQQQQQ")
HOSTILE = [0, 1, 2, 3, 7, 16, 63, 64, 65, 1000, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40]
WIDE = [*HOSTILE, 2**63 - 1, 2**63, 2**64 - 64, 2**64 - 1]
STRANGE = [*HOSTILE, -1, -(2**63), 0.5, 1e308, 1e-300, "", "x", None, True, [], {}, [1], "gelu"]
# The weights' own numbers: huge, tiny, infinite, none at all, in every format.
VALUES = [b"\xff" * 8, b"\0" * 8, b"\x7f\x80\0\0" * 2, b"\0\0\x80\x7f" * 2, b"\0\x7c\0\xfc" * 2]
MEMORY_BYTES = 4 << 30
PLACE = re.compile(r"byte \d+: |section '|'(en|de)coder\.[\w.]+'|'head\.\w+'|has \d+ bytes\.")


@dataclass(frozen=True)
class Section:
    """A section with what the directory says of it; None: what is right."""

    name: bytes
    kind: int
    rows: int
    columns: int
    data: bytes
    offset: int | None = None
    size: int | None = None
    sum: int | None = None


@dataclass(frozen=True)
class Packed:
    """A packed file in its parts."""

    description: bytes
    sections: tuple[Section, ...]


def parsed(data: bytes) -> Packed:
    """A whole file in its parts."""
    _, _, count, length, _, _ = HEADER.unpack_from(data)
    at, sections = HEADER.size + length, []
    for _ in range(count):
        name, kind, rows, columns, offset, size, _ = ENTRY.unpack_from(data, at)
        at += ENTRY.size
        whole = data[offset : offset + size]
        sections.append(Section(data[at : at + name], kind, rows, columns, whole))
        at += name
    return Packed(data[HEADER.size : HEADER.size + length], tuple(sections))


def written(packed: Packed) -> bytearray:
    """The file of these parts, with the right sums and offsets where none are planted."""
    length = sum(ENTRY.size + len(each.name) for each in packed.sections)
    end = HEADER.size + len(packed.description) + length
    body, entries = bytearray(), bytearray()
    for each in packed.sections:
        body += bytes(-(end + len(body)) % 64)
        offset = each.offset if each.offset is not None else end + len(body)
        size = each.size if each.size is not None else len(each.data)
        right = each.sum if each.sum is not None else summed(each.data)
        numbers = (len(each.name), each.kind, each.rows, each.columns, offset, size, right)
        entries += ENTRY.pack(*numbers) + each.name
        body += each.data
    version = LAYOUT[0]
    front = packed.description + bytes(entries)
    numbers = (len(packed.sections), len(packed.description), len(entries), summed(front))
    return bytearray(HEADER.pack(b"LOQUENT\0", version, *numbers) + front + body)


LAYOUT = [1]  # the version of the files at hand


def summed(data: bytes) -> int:
    return checksum(np.frombuffer(data, np.uint8))


def matrix_bytes(kind: int, rows: int, columns: int) -> int:
    """Bytes of a section of these sizes (native/src/layout.hpp)."""
    if kind == 4:
        return rows * columns * 4
    blocks, padded = -(-rows // 64), -(-columns // 64) * 64
    per_column = {0: 256.0, 1: 128.0, 2: 64.0, 3: 40.0}[kind]
    return int(blocks * padded * per_column) + (blocks * 256 if kind == 2 else 0)


# ---- changes of the parts: sums and offsets are right again --------------------------------------


def described(packed: Packed, chance: random.Random) -> Packed:
    """One number or word of the description is another."""
    values = json.loads(packed.description)
    inner = values
    for _ in range(chance.randint(0, 3)):
        below = [value for value in inner.values() if isinstance(value, dict) and value]
        inner = chance.choice(below) if below else inner
    key = chance.choice(list(inner))
    match chance.randrange(8):
        case 0:
            del inner[key]
        case 1:
            inner["unknown"] = 1
        case 2 if isinstance(inner[key], int | float):
            inner[key] = inner[key] * chance.choice([2, 3, 0.5, -1]) + chance.choice([0, 1, -1])
        case _:
            inner[key] = chance.choice(STRANGE)
    return replace(packed, description=json.dumps(values).encode())


def garbled(packed: Packed, chance: random.Random) -> Packed:
    """Bytes of the description are others."""
    data = bytearray(packed.description)
    at = chance.randrange(len(data))
    match chance.randrange(4):
        case 0:
            data[at] = chance.randrange(256)
        case 1:
            del data[at : at + chance.randint(1, 30)]
        case 2:
            data[at:at] = chance.choice([b"{" * 5000, b'"', b"[", b"\0", b"9" * 400, b"\xff"])
        case _:
            data = bytearray()
    return replace(packed, description=bytes(data))


def dropped(packed: Packed, chance: random.Random) -> Packed:
    """A section is missing, there twice, elsewhere or one too many."""
    sections = list(packed.sections)
    at = chance.randrange(len(sections))
    match chance.randrange(5):
        case 0:
            del sections[at]
        case 1:
            sections.insert(chance.randrange(len(sections)), sections[at])
        case 2:
            chance.shuffle(sections)
        case 3:
            sections.insert(at, replace(sections[at], name=b"more.weight"))
        case _:
            sections = sections[: at // 2]
    return replace(packed, sections=tuple(sections))


def renamed(packed: Packed, chance: random.Random) -> Packed:
    """A section has another name, perhaps that of another one."""
    names = [each.name for each in packed.sections]
    name = chance.choice([*names, b"", b"\0", b"\xff\xfe", b"x" * 5000, b"decoder.layers.99.x"])
    return _with(packed, chance, lambda each: replace(each, name=name))


def reshaped(packed: Packed, chance: random.Random) -> Packed:
    """A section has other sizes, and the bytes that these need."""

    def change(each: Section) -> Section:
        rows, columns = each.rows, each.columns
        match chance.randrange(4):
            case 0:
                rows = max(1, rows + chance.choice([-1, 1, 64, -64]))
            case 1:
                columns = max(1, columns + chance.choice([-1, 1, 64, -64]))
            case 2:
                rows, columns = columns, rows
            case _:
                rows, columns = 1, rows * columns
        size = matrix_bytes(each.kind, rows, columns)
        data = (each.data + bytes(size))[:size]
        return replace(each, rows=rows, columns=columns, data=data)

    return _with(packed, chance, change)


def rekinded(packed: Packed, chance: random.Random) -> Packed:
    """A section is of another kind, and has the bytes that it needs."""

    def change(each: Section) -> Section:
        kind = chance.randrange(5)
        size = matrix_bytes(kind, each.rows, each.columns)
        return replace(each, kind=kind, data=(each.data * 9 + bytes(size))[:size])

    return _with(packed, chance, change)


def exchanged(packed: Packed, chance: random.Random) -> Packed:
    """Two sections have each other's names."""
    sections = list(packed.sections)
    a, b = chance.randrange(len(sections)), chance.randrange(len(sections))
    first, second = sections[a].name, sections[b].name
    sections[a] = replace(sections[a], name=second)
    sections[b] = replace(sections[b], name=first)
    return replace(packed, sections=tuple(sections))


def poisoned(packed: Packed, chance: random.Random) -> Packed:
    """Weights are other numbers: infinite, none, or any; these open, and must do no harm."""

    def change(each: Section) -> Section:
        data = bytearray(each.data)
        for _ in range(chance.randint(1, 20)):
            at = chance.randrange(len(data))
            value = chance.choice([*VALUES, chance.randbytes(8)])
            data[at : at + 8] = value[: len(data[at : at + 8])]
        return replace(each, data=bytes(data))

    return _with(packed, chance, change)


def lied(packed: Packed, chance: random.Random) -> Packed:
    """The directory says something impossible, under a right sum of its own."""

    def change(each: Section) -> Section:
        field = chance.choice(["kind", "rows", "columns", "offset", "size", "sum"])
        value = chance.choice(WIDE)
        return replace(each, **{field: value % 2**32 if field == "kind" else value})

    return _with(packed, chance, change)


def _with(packed: Packed, chance: random.Random, change: Callable[[Section], Section]) -> Packed:
    sections = list(packed.sections)
    at = chance.randrange(len(sections))
    sections[at] = change(sections[at])
    return replace(packed, sections=tuple(sections))


PARTS = [described, described, described, garbled, dropped, renamed, reshaped, rekinded, exchanged,
         poisoned, lied]  # fmt: skip


# ---- changes of the bytes ------------------------------------------------------------------------


def header(data: bytearray, chance: random.Random) -> None:
    """A field of the header is another."""
    at, size = chance.choice([(0, 8), (8, 4), (12, 4), (16, 8), (24, 8), (32, 8), (40, 8), (56, 8)])
    data[at : at + size] = (chance.choice(WIDE) % 256**size).to_bytes(size, "little")


def entry(data: bytearray, chance: random.Random) -> None:
    """A field somewhere in the directory is another, under a right sum."""
    _, _, _, length, directory, _ = HEADER.unpack_from(data)
    if directory < 8 or HEADER.size + length + directory > len(data):
        return
    at = HEADER.size + length + chance.randrange(directory - 7)
    data[at : at + 8] = chance.choice(WIDE).to_bytes(8, "little")
    front = bytes(data[HEADER.size : HEADER.size + length + directory])
    struct.pack_into("<Q", data, 32, summed(front))


def flipped(data: bytearray, chance: random.Random) -> None:
    """One bit anywhere."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def cut(data: bytearray, chance: random.Random) -> None:
    """The end is missing."""
    del data[chance.randrange(len(data)) :]


def longer(data: bytearray, chance: random.Random) -> None:
    """There is more behind the end."""
    data += chance.choice([b"\0", b"\0" * 64, b"x" * 5000])


BYTES = [header, entry, flipped, cut, longer]


def mutant(wholes: list[bytes], number: int) -> bytes:
    """The mutant of this number."""
    chance = random.Random(number)
    packed = parsed(wholes[number % len(wholes)])
    if chance.random() < 0.25:
        data = written(packed)
        chance.choice(BYTES)(data, chance)
        return bytes(data)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        if packed.sections and packed.description.startswith(b'{"'):
            change = chance.choice(PARTS)
            try:
                packed = change(packed, chance)
            except ValueError:  # a description that a change before has garbled
                break
            if change is lied:  # its sizes are too large for further changes
                break
    return bytes(written(packed))


def tried(path: Path) -> str:
    """What becomes of a file."""
    try:
        network = NativeNetwork(path, threads=1)
    except CheckpointError as fault:
        said = str(fault)
        return "refused" if str(path) in said and PLACE.search(said) else f"wrong: {said[:300]}"
    try:
        stepped(network)
    except RequestError:
        return "refused"
    return "stepped"


def stepped(network: NativeNetwork) -> None:
    """Read a prompt in two rows, then single tokens, as the engine does; or some whole texts."""
    config = network.config
    if config.output != "token":
        words = config.source_vocabulary or config.vocabulary
        texts = [Text([at * 7 % words for at in range(count)]) for count in (1, 20, 5)]
        network.read([*texts, Text([0, 0], wanted=[1])])
        return
    if config.encoder is not None:
        source = [each % (config.source_vocabulary or config.vocabulary) for each in range(7)]
    if config.decoder is None:
        network.encode(source)
        return
    length = min(config.decoder.length or 40, 40)
    memory = network.new_memory(2, length)
    if config.encoder is not None:
        memory.attach(0, source)
        memory.attach(1, source)
    first = max(length - 2, 1)
    for start, count in ((0, first), *((at, 1) for at in range(first, length))):
        for row in (0, 1):
            positions = np.arange(start, start + count, dtype=np.int32)
            ids = positions * 7 % config.vocabulary
            wanted = np.zeros(count, np.bool_)
            wanted[-1] = True
            rows = np.full(count, row, np.int32)
            network.step(memory, Tokens(ids.astype(np.int32), rows, positions, wanted))
    memory.reorder([0], [1])


def main() -> None:
    """Try all mutants that the command line names."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    wholes = [path.read_bytes() for path in sorted(folder.glob("*.loquent"))]
    LAYOUT[0] = HEADER.unpack_from(wholes[0])[1]
    for whole in wholes:
        assert bytes(written(parsed(whole))) == whole
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, most))
    path = folder / "mutant"
    for number in range(first, first + count):
        path.write_bytes(mutant(wholes, number))
        tell(f"{number} ")  # what a crash leaves behind names the mutant
        try:
            tell(tried(path).replace("\n", " ") + "\n")
        except Exception as fault:  # anything but a refusal is a finding
            tell(f"wrong: {type(fault).__name__}: {fault}"[:300].replace("\n", " ") + "\n")


def tell(text: str) -> None:
    """Write at once: the next step may be the last."""
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
