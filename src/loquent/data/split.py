"""Parts of a data set: training, validation, test, by a hash of what stands in a record."""

import hashlib
from typing import Any, Literal

import msgspec

from loquent.data.reading import Record
from loquent.data.shapes import USUAL, Columns, normal
from loquent.errors import ConfigError, DataError

Part = Literal["train", "validation", "test"]

_RANGE = 1 << 64


def part_of(
    record: Record, seed: int, validation: float, test: float, columns: Columns = USUAL
) -> Part:
    """The part of a record, which stays the same when others are added or moved.

    `validation` and `test` are shares of all. What a model reads decides: records with the same
    text, or the same source, are in one part whatever their label or target, so that nothing that
    is learned is tested. Raises ConfigError where the shares are impossible.
    """
    if validation < 0 or test < 0 or validation + test > 1:
        raise ConfigError(f"shares of {validation} and {test} are not parts of a whole.")
    place = hash_of(input_of(record, columns), seed) / _RANGE
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


def input_of(record: Record, columns: Columns = USUAL) -> Any:
    """What a model reads of a record; all of its values where that cannot be told."""
    if isinstance(audio := record.values.get("audio"), str):
        return audio.replace("\\", "/").split("/")[-2:]  # wherever the folder lies
    try:
        values = normal(record, columns).values
    except DataError:
        return record.values
    if "label" in values:
        return values["text"]
    return values.get("source", values)


def hash_of(value: Any, seed: int = 0) -> int:
    """A hash of 64 bits that is the same in every process: BLAKE2b (RFC 7693).

    Texts that differ only in case and white space have the same.
    """
    if isinstance(value, str):
        data = " ".join(value.split()).casefold().encode()
    else:
        data = msgspec.json.encode(value, enc_hook=repr, order="deterministic")
    key = seed.to_bytes(16, "little", signed=True)
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=key).digest(), "little")
