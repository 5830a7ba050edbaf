"""A model that is there as the start of a run: its body, a head for the task, what may learn."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from loquent.architecture import ModelConfig, Pooling, StackConfig
from loquent.change.freeze import freeze
from loquent.change.head import headed, with_head
from loquent.change.lora import add_lora
from loquent.change.settings import LoraConfig
from loquent.change.vectors import begin_with, vectors_of
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.errors import ConfigError
from loquent.model.init import initialize
from loquent.model.model import Model, load
from loquent.runs.parts import StartPlan
from loquent.tasks import Task

_HEAD = "head.*"


def changed(
    origin: Checkpoint,
    task: Task,
    labels: tuple[str, ...],
    dropped: Mapping[str, Any],
    pooling: Pooling | Literal[""] = "",
) -> ModelConfig:
    """The description of a tuned model, with the output that a task needs.

    A new head is that of the model's family, so that transformers opens what comes out, and reads
    the states of a text as that does; or as `pooling` says, which only Loquent may be able to open.
    Where the family has no such head, states are read as the model's embedding is made of them.
    Raises ConfigError where the model has not the stacks for it.
    """
    config = origin.config
    both = config.encoder is not None and config.decoder is not None
    if both != (task.stacks == "both") or (task.stacks == "decoder" and config.decoder is None):
        needed = "an encoder and a decoder" if task.stacks == "both" else f"one {task.stacks}"
        raise ConfigError(f"the model cannot be tuned to {task.name}, which needs {needed}.")
    if task.output in ("masked", "tags") and config.top.causal:
        raise ConfigError(f"{task.name} needs a network that sees what stands on both sides.")
    config = _dropping(config, dropped)
    if config.output == task.output and config.labels == labels:
        return config
    own = config.pooling if config.output == "embedding" else None
    made = with_head(config, task.output, labels=labels, pooling=pooling or own)
    if pooling or task.output == "embedding":
        return made
    return _dropping(FAMILIES[origin.card.family].headed(made), dropped)


def started(
    config: ModelConfig,
    start: StartPlan,
    origin: Checkpoint | None,
    seed: int,
    words: Checkpoint | None = None,
) -> Model:
    """A network before its first step: new, or with a model's weights; and what of it may learn.

    A new one may begin with the vectors of `words`. Raises ConfigError for patterns that match no
    weight and for vectors that do not fit, and CheckpointError for a model whose weights do not.
    """
    fresh = False
    if origin is None:
        model = Model(config)
        initialize(model, seed)
        if words is not None:
            vectors = vectors_of(
                words.config, words.weights, config.vocabulary, where=start.embedding
            )
            begin_with(model, vectors)
    else:
        fresh = (config.output, config.labels) != (origin.config.output, origin.config.labels)
        weights = headed(config, origin.weights, seed=seed)[0] if fresh else origin.weights
        model = load(config, weights, trainable=True)
    if start.freeze:
        freeze(model, start.freeze)
    if start.lora:
        alpha = start.lora_alpha or 2.0 * start.lora
        learned = (_HEAD,) if fresh else ()  # a new head has nothing that an update could change
        updates = LoraConfig(
            rank=start.lora, alpha=alpha, targets=start.lora_targets, learned=learned
        )
        add_lora(model, updates, seed=seed)
    return model


def _dropping(config: ModelConfig, dropped: Mapping[str, Any]) -> ModelConfig:
    """The same with other shares that training drops; raises ConfigError where one does nothing."""
    stacks = [stack for stack in (config.encoder, config.decoder) if stack is not None]
    if "attention_dropout" in dropped and not any(stack.attends for stack in stacks):
        raise ConfigError(
            "network.attention_dropout does nothing to the model, which has no attention.",
            fix="Leave it out.",
        )

    def changed(stack: StackConfig | None) -> StackConfig | None:
        return None if stack is None else replace(stack, **dropped)

    return replace(config, encoder=changed(config.encoder), decoder=changed(config.decoder))
