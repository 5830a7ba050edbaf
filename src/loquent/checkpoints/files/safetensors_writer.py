"""Writing safetensors: whole files or none, in shards with an index where they are large."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from loquent.checkpoints.files.tensors import Tensor

SHARD_BYTES = 5_000_000_000


def write_safetensors(
    path: Path,
    tensors: Mapping[str, NDArray[Any] | Tensor],
    metadata: Mapping[str, str] | None = None,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> list[Path]:
    """Write the tensors to `path`, or beside it to shards and `<path>.index.json`.

    Returns the files written. A Tensor is copied as it is stored. Raises CheckpointError for a
    tensor whose values the format does not know.
    """
    raise NotImplementedError
