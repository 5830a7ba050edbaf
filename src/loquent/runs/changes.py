"""A model that is there becomes the start of a run: its weights, a new head, what stays as it is."""

from dataclasses import replace

import torch

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import ConfigError
from loquent.model.model import Model
from loquent.runs.plan import StartPlan
from loquent.tasks import Task


def changed(
    config: ModelConfig, task: Task, labels: tuple[str, ...], dropout: float
) -> ModelConfig:
    """The description of a tuned model, with the output that a task needs.

    Raises ConfigError where the model has not the stacks for it.
    """
    both = config.encoder is not None and config.decoder is not None
    if both != (task.stacks == "both") or (task.stacks == "decoder" and config.decoder is None):
        what = f"the model cannot be tuned to {task.name}, which needs {_needs(task)}."
        raise ConfigError(what)
    if task.output in ("masked", "tags", "embedding") and config.encoder is None:
        raise ConfigError(f"{task.name} needs a network that sees both sides of a token.")
    if dropout >= 0:
        config = replace(
            config,
            encoder=_dropping(config.encoder, dropout),
            decoder=_dropping(config.decoder, dropout),
        )
    if config.output == task.output and config.labels == labels:
        return config
    pooling = "last" if config.decoder is not None else config.pooling
    return replace(config, output=task.output, outputs=len(labels), labels=labels, pooling=pooling)


def started(model: Model, start: StartPlan, origin: Checkpoint | None) -> Model:
    """A network with the weights of the model that it starts from, and what of it is to learn."""
    fresh = _copied(model, origin) if origin is not None else frozenset()
    if not (start.freeze or start.lora):
        return model
    from loquent.change.lora import LoraConfig, add_lora, freeze  # noqa: PLC0415

    if start.freeze:
        freeze(model, start.freeze)
    if start.lora:
        add_lora(model, LoraConfig(rank=start.lora, alpha=start.lora_alpha or 2.0 * start.lora))
        for name, parameter in model.named_parameters():
            if name in fresh:  # a new head has nothing that a low-rank update could start from
                parameter.requires_grad_(True)
    return model


def _copied(model: Model, origin: Checkpoint) -> frozenset[str]:
    """Copy the weights that fit, and tell the names of those that are new."""
    fresh = set()
    with torch.no_grad():
        for name, target in model.state_dict().items():
            array = origin.weights[name] if name in origin.weights else None
            if array is None or array.shape != tuple(target.shape):
                fresh.add(name)
            else:
                target.copy_(torch.tensor(array))  # a copy: the file stays as it is
    return frozenset(fresh)


def _dropping(stack: StackConfig | None, dropout: float) -> StackConfig | None:
    return None if stack is None else replace(stack, dropout=dropout)


def _needs(task: Task) -> str:
    return "an encoder and a decoder" if task.stacks == "both" else f"one stack, {task.stacks}"
