"""An adapter merged into a checkpoint: the same network with one set of weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from loquent.checkpoints.adapters.reading import open_adapter
from loquent.checkpoints.adapters.spelling import HEAD
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.translate import Lazy
from loquent.errors import CheckpointError, nearest
from loquent.model.adapter import Adapter
from loquent.text.folder import open_tokenizer


def merged(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """A checkpoint with the adapter of a folder merged into its weights, each when it is read.

    Its tokenizer is the adapter's, where the folder has one. Raises CheckpointError and ConfigError
    as `open_adapter` does.
    """
    made = applied(checkpoint, open_adapter(folder, checkpoint), name=folder.resolve().name)
    if not (folder / "tokenizer.json").is_file():
        return made
    tokenizer = open_tokenizer(folder)
    if tokenizer.vocabulary > made.config.vocabulary:
        raise CheckpointError(
            f"has {tokenizer.vocabulary} tokens, but the model {made.config.vocabulary}.",
            where=str(folder / "tokenizer.json"),
        )
    return replace(made, tokenizer=tokenizer)


def applied(checkpoint: Checkpoint, adapter: Adapter, *, name: str = "") -> Checkpoint:
    """A checkpoint with what was learned put into its weights; `name` is added to its own.

    Raises CheckpointError where the adapter is for other weights than these.
    """
    weights = checkpoint.weights
    changed = {*adapter.replaced, *(f"{each}.weight" for each in adapter.updates)}
    new = (HEAD,) if adapter.untied and HEAD not in weights else ()
    unknown = sorted(changed - {*weights, *new})
    if unknown:
        raise CheckpointError(
            f"has no weight {unknown[0]!r}, which the adapter changes.",
            where=checkpoint.card.name,
            fix=nearest(unknown[0], weights),
        )

    def maker(weight: str) -> Callable[[], NDArray[Any]]:
        update = adapter.updates.get(weight.removesuffix(".weight"))
        if weight in adapter.replaced:
            return lambda: adapter.replaced[weight]
        if update is not None:
            return lambda: update.added(weights[weight])
        return lambda: weights[weight]

    card = checkpoint.card
    return replace(
        checkpoint,
        config=replace(checkpoint.config, tied=checkpoint.config.tied and not adapter.untied),
        weights=Lazy({each: maker(each) for each in (*weights, *new)}),
        stored={**checkpoint.stored, **dict.fromkeys(changed, "F32")},
        card=replace(card, name=f"{card.name}+{name}" if name else card.name, dtype="F32"),
        path=None,
        files=(),
        known="",
    )
