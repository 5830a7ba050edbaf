"""The wire format of protocol buffers, as much of it as SentencePiece's files need.

Every length is checked against the message before anything is taken out. The format is described
in "Protocol Buffers: Encoding", section "Message Structure".
"""

import struct
from collections.abc import Iterator

from loquent.errors import CheckpointError

Value = int | bytes
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(message: bytes, where: str, offset: int = 0) -> Iterator[tuple[int, Value, int]]:
    """Each field's number, value and byte in the file, where the message begins at `offset`."""
    place = 0
    while place < len(message):
        start = place
        key, place = _varint(message, place, where, offset)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise _fault(f"field number 0 at byte {offset + start}.", where)
        value: Value
        if kind == VARINT:
            value, place = _varint(message, place, where, offset)
        else:
            length = {FIXED64: 8, FIXED32: 4}.get(kind)
            if kind == BYTES:
                length, place = _varint(message, place, where, offset)
            if length is None:
                raise _fault(f"wire type {kind} at byte {offset + start}.", where)
            if length > len(message) - place:
                raise _fault(
                    f"field {number} at byte {offset + start} says {length} bytes, "
                    f"but {len(message) - place} are left.",
                    where,
                )
            value = message[place : place + length]
            place += length
        yield number, value, offset + start


def as_float(value: Value, where: str) -> float:
    """A field of four bytes as a number."""
    if not isinstance(value, bytes) or len(value) != 4:
        raise _fault("a score is not a float.", where)
    number: float = struct.unpack("<f", value)[0]
    return number


def as_text(value: Value, where: str) -> str:
    """A field of bytes as UTF-8."""
    if not isinstance(value, bytes):
        raise _fault("a text is a number.", where)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise _fault(f"a text is not UTF-8: {value[:40]!r}.", where) from None


def _varint(message: bytes, place: int, where: str, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise _fault(f"ends inside a number, at byte {offset + place}.", where)
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
    raise _fault(f"a number of over 10 bytes at byte {offset + place - 10}.", where)


def _fault(what: str, where: str) -> CheckpointError:
    return CheckpointError(f"is no SentencePiece model: {what}", where=where)
