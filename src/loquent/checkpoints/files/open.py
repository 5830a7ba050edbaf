"""Which kind of file lies here is seen from its content, not from its name."""

from pathlib import Path

from loquent.checkpoints.files.tensors import Container
from loquent.errors import CheckpointError


def open_container(
    path: Path, *, allow_pickle: bool = False, cache: Path | None = None
) -> Container:
    """Open a file of weights, a shard index, or a folder that holds either.

    Pickled PyTorch files open only with `allow_pickle`, through a child process whose safetensors
    copy goes to the folder `cache`, or to a temporary one that is gone at once. Raises
    CheckpointError with the place of the fault.
    """
    raise CheckpointError("is not recognized.", where=str(path))


def find_weights(folder: Path) -> Path:
    """The file of weights or the shard index of a folder."""
    raise CheckpointError("holds no weights.", where=str(folder))
