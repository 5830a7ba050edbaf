"""An adapter merged into a checkpoint: the same network with one set of weights."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints import generation
from loquent.checkpoints.adapters.reading import open_adapter
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.translate import Lazy
from loquent.errors import CheckpointError, nearest
from loquent.model.adapter import Adapter
from loquent.model.names import shapes
from loquent.text.documents import SETTINGS_BYTES, read_settings, read_text
from loquent.text.folder import open_tokenizer

_HEADS = "head."


def merged(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """A checkpoint with the adapter of a folder merged into its weights, each when it is read.

    Its tokenizer is the adapter's, where the folder has one, and its head that of the folder's
    config.json. Raises CheckpointError and ConfigError as `open_adapter` does.
    """
    base = _with_head(checkpoint, folder / "config.json")
    made = applied(base, open_adapter(folder, base), name=folder.resolve().name)
    lost = [name for name in shapes(made.config) if name not in made.weights]
    if lost:
        raise CheckpointError(
            f"has neither here nor in its base a weight {lost[0]!r}.", where=str(folder)
        )
    made = _asked(made, folder)
    if not (folder / "tokenizer.json").is_file():
        return made
    tokenizer = open_tokenizer(folder)
    if tokenizer.vocabulary > made.config.vocabulary:
        raise CheckpointError(
            f"has {tokenizer.vocabulary} tokens, but the model {made.config.vocabulary}.",
            where=str(folder / "tokenizer.json"),
        )
    return replace(made, tokenizer=tokenizer)


def _asked(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """How the folder's card and settings say that the model is to be asked, where they do."""
    values, card = read_settings(folder / "config.json"), folder / "README.md"
    advice = read_settings(folder / "generation_config.json")
    if card.is_file():
        text = read_text(card, SETTINGS_BYTES)
        checkpoint = replace(checkpoint, card=replace(checkpoint.card, text=text))
    if not advice:
        return checkpoint
    made = generation.of_config(advice, values, checkpoint.config.vocabulary)
    return replace(checkpoint, generation=made)


def _with_head(checkpoint: Checkpoint, description: Path) -> Checkpoint:
    """The body of a checkpoint with the head that a config.json tells of, whose weights come."""
    values = read_settings(description)
    if not values:
        return checkpoint
    config = FAMILIES[checkpoint.card.family].config(values)
    if _body(config) != _body(checkpoint.config):
        raise CheckpointError(
            f"describes another network than the base {checkpoint.card.name!r}.",
            where=str(description),
        )
    weights = checkpoint.weights
    if (config.output, config.labels) == (checkpoint.config.output, checkpoint.config.labels):
        return checkpoint
    body = [name for name in weights if not name.startswith(_HEADS)]
    return replace(
        checkpoint,
        config=config,
        weights=Lazy({name: partial(weights.__getitem__, name) for name in body}),
        sentences=checkpoint.sentences if config.output == "embedding" else None,
    )


def _body(config: ModelConfig) -> tuple[Any, ...]:
    """What a base must share: the sizes of its stacks, without dropout."""
    stacks = (config.encoder, config.decoder)
    return config.vocabulary, *(
        stack and replace(stack, dropout=0.0, attention_dropout=-1.0) for stack in stacks
    )


def applied(checkpoint: Checkpoint, adapter: Adapter, *, name: str = "") -> Checkpoint:
    """A checkpoint with what was learned put into its weights; `name` is added to its own.

    Raises CheckpointError where the adapter is for other weights than these.
    """
    weights = checkpoint.weights
    changed = {*adapter.replaced, *(f"{each}.weight" for each in adapter.updates)}
    new = [
        each
        for each in shapes(replace(checkpoint.config, tied=False))
        if each in adapter.replaced and each.startswith(_HEADS) and each not in weights
    ]
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
