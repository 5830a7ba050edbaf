"""Formats that other packages read: Parquet files, and data sets of the Hugging Face hub."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from loquent.data.reading import Reading, Row, Source
from loquent.errors import DataError

_ROWS_TOGETHER = 1024
HUB = "hf:"


def read_parquet(source: Source, reading: Reading) -> Iterator[Row]:
    """Rows of a Parquet file, a few at a time; their number stands for the line."""
    del reading  # a Parquet file is whole or not
    parquet = _package("pyarrow.parquet", "pyarrow", source.name)
    errors = import_module("pyarrow").ArrowException
    try:
        with parquet.ParquetFile(source.path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_TOGETHER):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(values, number)
    except (errors, OSError) as fault:
        raise DataError(f"cannot be read: {_first_line(fault)}.", where=source.name) from fault


def read_hub(name: str) -> Iterator[Row]:
    """Rows of a data set by `hf:NAME`, `hf:NAME:PART` or `hf:NAME:SETTING:PART`, streamed.

    The part is `train` where none is named. No code of the data set is executed.
    """
    path, *rest = name.removeprefix(HUB).split(":")
    if not path or len(rest) > 2:
        raise DataError("is no name of a data set.", where=name, fix="Write hf:ORG/NAME:PART.")
    part = rest[-1] if rest else "train"
    setting = rest[0] if len(rest) == 2 else None
    datasets = _package("datasets", "datasets", name)
    try:
        found = datasets.load_dataset(path, setting, split=part, streaming=True)
        for number, values in enumerate(found, 1):
            yield Row(dict(values), number)
    except Exception as fault:  # the package raises errors of a dozen others
        what = f"cannot be read: {type(fault).__name__}: {_first_line(fault)}."
        raise DataError(what, where=name) from fault


def _package(module: str, package: str, where: str) -> Any:
    try:
        return import_module(module)
    except ImportError as fault:
        raise DataError(
            f"needs the package {package}, which is not installed.",
            where=where,
            fix='Install it with: pip install "loquent[data]"',
        ) from fault


def _first_line(fault: Exception) -> str:
    return str(fault).partition("\n")[0].rstrip(".")
