"""Which executor runs a checkpoint: a table of runtimes, one line each."""

from collections.abc import Callable
from importlib import import_module, util
from typing import Literal, get_args

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.engine.network import Network
from loquent.errors import CheckpointError, UsageError, nearest

Runtime = Literal["auto", "torch"]


def open_network(checkpoint: Checkpoint, runtime: Runtime, device: str) -> Network:
    """Make the network that executes a checkpoint.

    Raises UsageError for an unknown runtime and CheckpointError where its package is missing.
    """
    if runtime not in get_args(Runtime):
        raise UsageError(
            f"there is no runtime {runtime!r}.", fix=nearest(runtime, get_args(Runtime))
        )
    if util.find_spec("torch") is None:
        raise CheckpointError(
            "running this model needs PyTorch, which is not installed.",
            where=checkpoint.card.name,
            fix="Install it with: pip install 'loquent[train]'",
        )
    make: Callable[[Checkpoint, str], Network] = _torch
    if checkpoint.card.executor == "transformers":
        make = _transformers
    return make(checkpoint, device)


def _torch(checkpoint: Checkpoint, device: str) -> Network:
    made: Network = import_module("loquent.engine.torch_network").open_network(
        checkpoint.config, checkpoint.weights, device=device
    )
    return made


def _transformers(checkpoint: Checkpoint, device: str) -> Network:
    assert checkpoint.path is not None
    model = import_module("loquent.checkpoints.foreign").load(checkpoint.path, device)
    adapter = import_module("loquent.engine.foreign_network").ForeignNetwork
    made: Network = adapter(model, checkpoint.config)
    return made
