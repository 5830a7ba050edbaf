"""Bytes of a file to lines of text: gzip, encodings, line ends, and where a fault is."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, cast

from loquent.data.reading import Reading, Source
from loquent.errors import DataError

_HEAD_BYTES = 1 << 16  # looked at to find the encoding

# What is no text, by its first bytes.
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive or an Excel file",
    b"\x1f\x8b": "compressed by gzip",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"SQLite format 3": "an SQLite database",
    b"\x80\x04\x95": "a pickle",
}

_CONTROL = bytes({*range(32)} - {*b"\t\n\r\f\x1b"})  # bytes that text hardly has

# Longest first: UTF-32's little-endian mark begins like UTF-16's.
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32-le",
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}

_WIDTHS = {"utf-8": 1, "utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}


@dataclass(frozen=True)
class Encoding:
    """How a file's characters are written."""

    name: str = "utf-8"
    mark: int = 0  # bytes of its byte order mark

    @property
    def newline(self) -> bytes:
        """The end of a line."""
        return "\n".encode(self.name)

    @property
    def width(self) -> int:
        """Bytes of its smallest unit."""
        return _WIDTHS[self.name]


class Line(NamedTuple):
    """A line without its end; with a fault its text is only what could be read."""

    text: str
    number: int  # from 1
    byte: int  # where it starts in the file, uncompressed
    fault: DataError | None = None


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The bytes of a file, those of a .gz uncompressed; raises DataError with its name."""
    try:
        if source.path.suffix.lower() == ".gz":
            with gzip.open(source.path, "rb") as packed:
                yield cast(BinaryIO, packed)
        else:
            with source.path.open("rb", buffering=1 << 18) as plain:
                yield plain
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise DataError(
            f"is not whole: {fault}.", where=source.name, fix="Compress or download it again."
        ) from fault
    except OSError as fault:
        raise DataError(f"cannot be read: {fault.strerror}.", where=source.name) from fault


def lines(source: Source, reading: Reading) -> Iterator[Line]:
    """The lines of a text file, one at a time.

    A line that is not what its encoding says, that holds a NUL or that is too long comes with a
    fault. Raises DataError where the file is no text at all.
    """
    with opened(source) as file:
        head = file.read(_HEAD_BYTES)
        encoding = encoding_of(head, source)
        _tell(encoding, source, reading)
        _check_line_ends(head, encoding, source)
        file.seek(encoding.mark)
        yield from _split(file, encoding, source, reading.limits.line_bytes)


def encoding_of(head: bytes, source: Source) -> Encoding:
    """The encoding of a file by its first bytes; raises DataError where it is no text."""
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise DataError(f"is {what}, not text.", where=source.name, fix=_FIX_FOREIGN)
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return Encoding(name, len(mark))
    if b"\0" not in head[:4096]:
        return Encoding()
    # Without a mark: Latin letters in UTF-16 have a NUL in each second byte.
    start = head[: min(len(head), 4096) & ~1]
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if odd > 0.3 * half and even < 0.05 * half:
        return Encoding("utf-16-le")
    if even > 0.3 * half and odd < 0.05 * half:
        return Encoding("utf-16-be")
    control = len(start) - len(start.translate(None, _CONTROL))
    if control > max(0.05 * len(start), 8):
        raise DataError("is binary, not text.", where=source.name, fix=_FIX_FOREIGN)
    return Encoding()


_FIX_FOREIGN = "Known are jsonl, json, csv, tsv, txt, parquet, and .gz of the texts among them."


def decoded(raw: bytes, encoding: Encoding, where: str, byte: int) -> tuple[str, DataError | None]:
    """The text of some bytes that start at `byte` of a file, and what is wrong with it."""
    try:
        text = raw.decode(encoding.name)
    except UnicodeDecodeError as fault:
        at = byte + fault.start
        wrong = raw[fault.start]
        what = f"is not {_spelled(encoding.name)}: byte 0x{wrong:02x} at byte {at}."
        made = DataError(what, where=where, fix=_guess(raw, encoding))
        return raw.decode(encoding.name, "replace"), made
    if "\0" in text:
        at = byte + len(text[: text.index("\0")].encode(encoding.name))
        fix = "Remove it: text has no NUL characters."
        return text, DataError(f"holds a NUL character at byte {at}.", where=where, fix=fix)
    return text, None


def _split(file: BinaryIO, encoding: Encoding, source: Source, most_bytes: int) -> Iterator[Line]:
    newline = encoding.newline
    strip = "\r\n".encode(encoding.name)
    number, byte = 0, encoding.mark
    while raw := _next(file, encoding, most_bytes):
        number += 1
        where = f"{source.name}:{number}"
        if len(raw) > most_bytes and not raw.endswith(newline):
            length = len(raw) + _skip(file, encoding)
            what = f"the line at byte {byte} has {length} bytes, over the limit of {most_bytes}."
            yield Line("", number, byte, DataError(what, where=where, fix=_FIX_LONG))
            byte += length
            continue
        ended = raw.removesuffix(strip) if raw.endswith(strip) else raw.removesuffix(newline)
        text, fault = decoded(ended, encoding, where, byte)
        yield Line(text, number, byte, fault)
        byte += len(raw)


_FIX_LONG = "Is an end of line or a closing quote missing?"


def _next(file: BinaryIO, encoding: Encoding, most_bytes: int) -> bytes:
    """The bytes up to and with the next end of line, or a few more than `most_bytes`."""
    if encoding.width == 1:
        return file.readline(most_bytes + 1)
    # `readline` stops at any byte 0x0a, which may be half of another character.
    line = bytearray()
    while part := file.readline(max(most_bytes + 1 - len(line), 1)):
        line += part
        line += file.read(-len(line) % encoding.width)
        if line.endswith(encoding.newline) or len(line) > most_bytes:
            break
    return bytes(line)


def _skip(file: BinaryIO, encoding: Encoding) -> int:
    """Go to the end of a line that is too long; how many bytes that were."""
    skipped = 0
    while part := _next(file, encoding, 1 << 20):
        skipped += len(part)
        if part.endswith(encoding.newline):
            break
    return skipped


def _tell(encoding: Encoding, source: Source, reading: Reading) -> None:
    if encoding.name != "utf-8":
        mark = "by its byte order mark" if encoding.mark else "found by its NUL bytes"
        reading.note(f"{source.name}: read as {_spelled(encoding.name)} ({mark}).")
    elif encoding.mark:
        reading.note(f"{source.name}: the byte order mark at its start was left out.")


def _check_line_ends(head: bytes, encoding: Encoding, source: Source) -> None:
    if encoding.width == 1 and b"\r" in head[:-1] and b"\n" not in head:
        raise DataError(
            f"has lines that end with CR alone, the first at byte {head.index(13)}.",
            where=source.name,
            fix="Convert it, for example with tr '\\r' '\\n'.",
        )


def _spelled(name: str) -> str:
    return name.upper().replace("-LE", " little-endian").replace("-BE", " big-endian")


def _guess(raw: bytes, encoding: Encoding) -> str:
    """Advice for bytes that are no UTF-8: the encoding that they would be good text in."""
    if encoding.width > 1:
        return "The file is damaged."
    name = "WINDOWS-1252"
    try:
        chinese = raw.decode("gb2312")  # whose characters are pairs of high bytes, unlike accents
    except UnicodeDecodeError:
        chinese = ""
    if sum("\u4e00" <= each <= "\u9fff" for each in chinese) >= 2:
        name = "GB18030"
    return f"Save it as UTF-8, for example with iconv -f {name} -t UTF-8."
