"""Which executor runs a checkpoint, and in which precision."""

from collections.abc import Callable
from importlib import import_module, util
from typing import Literal, get_args

import msgspec

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.engine.network import Network
from loquent.errors import CheckpointError, ConfigError, UsageError, nearest
from loquent.native import unexecuted

Runtime = Literal["auto", "native", "torch"]
Bits = Literal["auto", 4, 8, 16, 32]
Progress = Callable[[int, int], None]  # weights packed, of how many

DEFAULT_BITS = 8  # the fastest within 0.5 % of f32's perplexity (bench/results/perplexity.md)
_PRECISIONS = {4: "int4", 8: "int8", 16: "bf16", 32: "f32"}


class Executor(msgspec.Struct, frozen=True):
    """A network that is ready to run, and how it runs."""

    network: Network
    runtime: str
    precision: str
    note: str = ""  # why it is not the runtime that one would expect


def open_executor(
    checkpoint: Checkpoint,
    *,
    runtime: Runtime = "auto",
    device: str = "cpu",
    bits: Bits = "auto",
    progress: Progress | None = None,
) -> Executor:
    """Make the network that executes a checkpoint.

    "auto" is the native runtime on the CPU, and torch elsewhere and for what that does not execute.
    Raises UsageError for what there is not, ConfigError for a network that the native runtime does
    not execute, and CheckpointError where a package is missing.
    """
    for name, value, known in (("runtime", runtime, Runtime), ("bits", bits, Bits)):
        if value not in get_args(known):
            words = map(str, get_args(known))
            raise UsageError(f"there is no {name} {value!r}.", fix=nearest(str(value), words))
    if checkpoint.card.executor == "transformers":
        _refuse_bits(bits, "transformers")
        return Executor(_transformers(checkpoint, device), "transformers", "f32")
    missing = unexecuted(checkpoint.config)
    if runtime == "torch" or (runtime == "auto" and (device != "cpu" or missing)):
        _refuse_bits(bits, "torch")
        expected = runtime == "torch" or device != "cpu"
        note = "" if expected else f"torch runs it: the native runtime does not execute {missing}."
        return Executor(_torch(checkpoint, device), "torch", "f32", note)
    if device != "cpu":
        raise UsageError(f"the native runtime runs on the cpu, not on {device!r}.")
    if missing:
        raise ConfigError(
            f"the native runtime does not execute {missing}.",
            where=checkpoint.card.name,
            fix="Use the runtime 'torch' or 'auto'.",
        )
    count = DEFAULT_BITS if bits == "auto" else bits
    return Executor(_native(checkpoint, count, progress), "native", _PRECISIONS[count])


def _native(checkpoint: Checkpoint, bits: int, progress: Progress | None) -> Network:
    pack = import_module("loquent.checkpoints.pack")
    path = pack.packed(
        checkpoint.config, checkpoint.weights, checkpoint.fingerprint, bits, progress
    )
    made: Network = import_module("loquent.engine.native_network").NativeNetwork(path)
    return made


def _torch(checkpoint: Checkpoint, device: str) -> Network:
    if util.find_spec("torch") is None:
        raise CheckpointError(
            "running this model with torch needs PyTorch, which is not installed.",
            where=checkpoint.card.name,
            fix="Install it with: pip install 'loquent[train]'",
        )
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


def _refuse_bits(bits: Bits, runtime: str) -> None:
    if bits not in ("auto", 32):
        raise UsageError(f"the {runtime} runtime runs in 32 bits, not in {bits}.")
