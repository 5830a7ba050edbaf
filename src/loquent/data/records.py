"""Records of files and folders in the usual formats, one at a time."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from loquent.data import foreign, jsonl, plain, table
from loquent.data.reading import USUAL_LIMITS, Limits, Reading, Record, Row, Source, ignore
from loquent.data.shapes import Kind, kind_of, normal
from loquent.data.split import Part, part_of
from loquent.errors import DataError, UserError, nearest, together

__all__ = [
    "FORMATS",
    "Kind",
    "Limits",
    "Part",
    "Record",
    "kind_of",
    "normal",
    "part_of",
    "records",
]

Reader = Callable[[Source, Reading], Iterator[Row]]

FORMATS: dict[str, Reader] = {
    "jsonl": jsonl.read_jsonl,
    "json": jsonl.read_json,
    "csv": table.read_csv,
    "tsv": table.read_tsv,
    "txt": plain.read_text,
    "lines": plain.read_lines,
    "parquet": foreign.read_parquet,
}

# Formats by the ends of files' names; `.gz` may follow.
ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "txt",
    ".text": "txt",
    ".parquet": "parquet",
}

# Names of folders that hold parts of a data set, not texts of one class.
_PARTS = {"train", "training", "valid", "validation", "val", "dev", "test"}
_BRACES = re.compile(r"\{([^{},]+),([^{},]+)\}")


def records(
    path: Path | str,
    *,
    format: str = "auto",
    limit: Limits = USUAL_LIMITS,
    header: bool | None = None,
    columns: Sequence[str] = (),
    delimiter: str = "",
    on_note: Callable[[str], None] = ignore,
    on_fault: Callable[[DataError], None] | None = None,
) -> Iterator[Record]:
    """The records of a file, of a folder's files, of two files of lines, or of a hub's data set.

    `path` may be `hf:NAME` or, for the lines of two files that belong together, `train.{de,en}`.
    `format` is one of FORMATS, or found by the file's name. `header`, `columns` and `delimiter`
    are for tables. `on_note` is told what a person should know, such as an encoding. Faulty
    records are told to `on_fault` and left out; without it DataError is raised with all of them,
    at the end or when `limit.faults` were found. docs/data.md says what comes of what.
    """
    faults: list[UserError] = []

    def keep(fault: DataError) -> None:
        if on_fault is not None:
            on_fault(fault)
            return
        faults.append(fault)
        if len(faults) >= limit.faults:
            raise _Enough

    reading = Reading(on_note, keep, limit, header, columns, delimiter)
    index = 0
    try:
        for name, row in _rows(str(path), format, reading):
            yield Record(row.values, f"{name}:{row.line}", index)
            index += 1
    except _Enough:
        rest = f"what follows these {limit.faults} faults was not read."
        faults.append(DataError(rest, where=str(path)))
    except DataError as fault:
        if on_fault is not None and index:
            on_fault(fault)
        else:
            faults.append(fault)
    if faults:
        raise together(DataError, faults)
    if not index and on_fault is None:
        raise DataError("holds no records.", where=str(path))


class _Enough(Exception):  # noqa: N818  # not an error: ends the reading
    """So many faults that the rest is not read."""


def _rows(path: str, format: str, reading: Reading) -> Iterator[tuple[str, Row]]:
    """Rows with the name of their file."""
    if path.startswith(foreign.HUB):
        yield from ((path, row) for row in foreign.read_hub(path))
    elif (pair := _pair_of(path)) is not None:
        one, other, names = pair
        yield from ((one.name, row) for row in plain.read_parallel(one, other, names, reading))
    elif Path(path).is_dir():
        yield from _folder(Path(path), format, reading)
    elif not Path(path).exists():
        raise _missing(Path(path))
    else:
        reader = FORMATS[_format(Path(path), format)]
        source = Source(Path(path), Path(path).name)
        yield from ((source.name, row) for row in reader(source, reading))


def _folder(folder: Path, format: str, reading: Reading) -> Iterator[tuple[str, Row]]:
    """Rows of all files of a folder, in the order of their names.

    Texts in folders of their own (`pos/1.txt`, `neg/2.txt`) have the folder's name as a label.
    """
    files = sorted(
        each for each in folder.rglob("*") if each.is_file() and not _hidden(each, folder)
    )
    known = [each for each in files if format != "auto" or _ending(each) in ENDINGS]
    if len(known) < len(files):
        chosen = set(known)
        others = [each.relative_to(folder).as_posix() for each in files if each not in chosen]
        reading.note(f"{folder.name}: left out as no data: {_few(others)}.")
    if not known:
        fix = f"Known endings: {', '.join(ENDINGS)}."
        raise DataError("holds no files of data.", where=str(folder), fix=fix)
    labeled = _are_classes(folder, known, format)
    empty = []
    for file in known:
        source = Source(file, file.relative_to(folder).as_posix())
        found = False
        try:
            for row in FORMATS[_format(file, format)](source, reading):
                found = True
                values = {**row.values, "label": file.parent.name} if labeled else row.values
                yield source.name, Row(values, row.line)
        except DataError as fault:
            reading.fault(fault)
            continue
        if not found:
            empty.append(source.name)
    if empty:
        reading.note(f"{folder.name}: {len(empty)} files hold no records: {_few(empty)}.")


def _are_classes(folder: Path, files: Sequence[Path], format: str) -> bool:
    parents = {file.parent for file in files}
    texts = all(_format(file, format) == "txt" for file in files)
    deep = all(parent.parent == folder for parent in parents)
    return texts and deep and len(parents) > 1 and not {each.name for each in parents} & _PARTS


def _format(path: Path, format: str) -> str:
    if format != "auto":
        if format not in FORMATS:
            what = f"there is no format {format!r}."
            raise DataError(what, where=str(path), fix=nearest(format, FORMATS))
        return format
    found = ENDINGS.get(_ending(path))
    if found is None:
        what = f"its format cannot be told by the ending {_ending(path)!r}."
        fix = f"Name one: {', '.join(FORMATS)}."
        raise DataError(what, where=str(path), fix=fix)
    return found


def _ending(path: Path) -> str:
    endings = [each.lower() for each in path.suffixes]
    if endings[-1:] == [".gz"]:
        endings.pop()
    return endings[-1] if endings else ""


def _pair_of(path: str) -> tuple[Source, Source, tuple[str, str]] | None:
    """The two files of a name with braces, and what their columns are called."""
    found = _BRACES.search(path)
    if found is None or Path(path).exists():
        return None
    files = [Path(path[: found.start()] + each + path[found.end() :]) for each in found.groups()]
    for file in files:
        if not file.is_file():
            raise _missing(file)
    one, other = (Source(file, file.name) for file in files)
    return one, other, (found[1], found[2])


def _missing(path: Path) -> DataError:
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return DataError("is not there.", where=str(path), fix=nearest(path.name, beside)[:200])


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
