"""JSON: one object a line, or one list of objects in a file."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from loquent.data.reading import Reading, Row, Source
from loquent.data.source import encoding_of, lines, opened
from loquent.data.squad import is_squad, read_squad
from loquent.data.streamed import Text
from loquent.errors import DataError

# Where a text ends within an object, the fault is this near to its end or in an open string.
_NEAR_CHARACTERS = 16


def read_jsonl(source: Source, reading: Reading) -> Iterator[Row]:
    """One object a line; empty lines are left out and told."""
    empty = 0
    for line in lines(source, reading):
        where = f"{source.name}:{line.number}"
        if line.fault is not None:
            reading.fault(line.fault)
        elif not line.text.strip():
            empty += 1
        else:
            try:
                yield Row(_object(line.text, where, line.byte), line.number)
            except DataError as fault:
                reading.fault(fault)
    if empty:
        reading.note(f"{source.name}: {empty} empty lines were left out.")


def read_json(source: Source, reading: Reading) -> Iterator[Row]:
    """One list of objects, read piece by piece; also a file of lines that was called .json."""
    with opened(source) as file:
        head = file.read(1 << 16)
        encoding = encoding_of(head, source)
        start = head[encoding.mark :].decode(encoding.name, "ignore").lstrip()
        if start.startswith("["):
            file.seek(encoding.mark)
            text = Text(file, encoding, source.name, reading.limits.line_bytes)
            yield from _list(text, reading)
            return
    if is_squad(start):
        yield from read_squad(source, reading)
        return
    if start and not _is_lines(start):
        raise DataError(
            "is neither a list of objects nor one object a line.",
            where=source.name,
            fix="Write [{…}, {…}], or one {…} on each line.",
        )
    yield from read_jsonl(source, reading)


def _is_lines(start: str) -> bool:
    first, ended, _ = start.partition("\n")
    if not ended:
        return first.startswith("{")  # one line, or the first of long ones
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _list(text: Text, reading: Reading) -> Iterator[Row]:
    text.skip_space()
    text.go(text.at + 1)  # the bracket
    first = True
    while (found := text.skip_space()) != "]":
        if not first:
            if found != ",":
                raise _broken(text, "a comma or the list's end")
            text.go(text.at + 1)
            found = text.skip_space()
        first = False
        if found != "{":
            raise _broken(text, "an object")
        line = text.line
        taken = _taken(text)
        try:
            values = _object(taken, f"{text.name}:{line}", None)
        except DataError as fault:
            reading.fault(fault)
            continue
        yield Row(values, line)
    text.go(text.at + 1)
    if text.skip_space():
        raise _broken(text, "nothing more")


def _taken(text: Text) -> str:
    """The source of the object at which the text stands."""
    decoder = json.JSONDecoder()
    while True:
        try:
            _, end = decoder.raw_decode(text.text, text.at)
        except (ValueError, RecursionError) as fault:
            if not (_may_go_on(fault, text) and text.more()):
                what = f"the object is damaged: {_reason(fault)}."
                raise DataError(what, where=f"{text.name}:{text.line}") from fault
            continue
        taken = text.text[text.at : end]
        text.go(end)
        return taken


def _may_go_on(fault: Exception, text: Text) -> bool:
    """Whether a fault may only mean that not all of an object is read yet."""
    if not isinstance(fault, json.JSONDecodeError):
        return False
    near = fault.pos >= len(text.text) - _NEAR_CHARACTERS
    return near or fault.msg.startswith("Unterminated string")


def _broken(text: Text, wanted: str) -> DataError:
    found = text.text[text.at : text.at + 20]
    what = f"expected {wanted}, found {found!r}." if found else f"ends before {wanted}."
    return DataError(what, where=f"{text.name}:{text.line}")


def _object(text: str, where: str, byte: int | None) -> dict[str, Any]:
    """The object of a text, with what JSON leaves open refused."""
    place = "" if byte is None else f" at byte {byte}"
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as fault:
        at = "" if byte is None else f" (byte {byte + len(text[: fault.pos].encode())})"
        what = f"is not JSON: {fault.msg.removesuffix(' at')} at column {fault.colno}{at}."
        raise DataError(what, where=where) from fault
    except (ValueError, RecursionError) as fault:
        raise DataError(f"{_reason(fault)}{place}.", where=where) from fault
    if not isinstance(value, dict):
        what = f"is {_TYPES.get(type(value), 'no object')}, not an object{place}."
        raise DataError(what, where=where, fix='A record is like {"text": "…"}.')
    if "\\ud" in text or "\\uD" in text:
        _check_surrogates(value, where)
    return value


_TYPES: dict[type, str] = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def _reason(fault: Exception) -> str:
    if isinstance(fault, RecursionError):
        return "its values are nested too deep"
    if isinstance(fault, json.JSONDecodeError):
        return f"{fault.msg.removesuffix(' at')} at column {fault.colno}"
    return str(fault).partition(";")[0]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        times = Counter(key for key, _ in pairs)
        twice = next(key for key, count in times.items() if count > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return made


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant)


def _check_surrogates(value: Any, where: str) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as fault:
            what = f"holds half a surrogate pair, \\u{ord(value[fault.start]):04x}."
            raise DataError(what, where=where) from None
    elif isinstance(value, list):
        for each in value:
            _check_surrogates(each, where)
    elif isinstance(value, dict):
        for key, each in value.items():
            _check_surrogates(key, where)
            _check_surrogates(each, where)
