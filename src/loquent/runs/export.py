"""What a finished run leaves: a model that opens everywhere, its adapter, curves and card."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig, StackConfig
from loquent.change.lora import adapter_of, merge
from loquent.checkpoints.adapters.writing import save_adapter
from loquent.checkpoints.checkpoint import Card, Checkpoint
from loquent.checkpoints.generation import Generation
from loquent.errors import ConfigError
from loquent.model.model import Model, weights
from loquent.runs import folder as place
from loquent.runs.asking import generation_of
from loquent.runs.assemble import Ready
from loquent.runs.card import written_card
from loquent.runs.networks import NETWORKS
from loquent.runs.plan import Plan
from loquent.runs.result import Result
from loquent.text.framing import start_of
from loquent.training import plots
from loquent.training.log import NAME, read_log


def exported(
    plan: Plan, ready: Ready, model: Model, card: Mapping[str, Any], result: Result
) -> None:
    """Write `model/`, curves, README.md and the result into the run's folder.

    What low-rank updates have learned is in the model, and once more alone in `adapter/`.
    """
    folder = result.folder
    if plan.start.lora:
        card = {**card, "adapter": _adapter(folder / place.ADAPTER, plan, ready, model)}
        merge(model)
    save_model(folder / place.MODEL, plan, ready, model)
    text = written_card(plan, card, result)
    place.write_text(folder / place.MODEL / "README.md", text)
    place.write_text(folder / "README.md", text)
    place.write_card(folder, {**card, "result": result.plain()})
    drawn = plots.panels({folder.name: read_log(folder / NAME, lambda _note: None)})
    for ending in ("svg", "png"):
        plots.save(folder / f"curves.{ending}", drawn)


def _adapter(target: Path, plan: Plan, ready: Ready, model: Model) -> str:
    """Write the updates as PEFT does; gives the folder, or why the format cannot say them."""
    assert ready.origin is not None
    unfinished = target.with_name(f".{target.name}.{token_hex(4)}")
    try:
        save_adapter(
            unfinished,
            adapter_of(model),
            family=ready.origin.card.family,
            config=_without_dropout(model.config),
            base=plan.start.model,
            generation=_generation(plan, ready) if ready.asked.start is not None else None,
        )
    except ConfigError as fault:
        return f"not written: {fault}"
    ready.reading.tokenizer.save(unfinished)
    _replace(unfinished, target)
    return place.ADAPTER


def save_model(target: Path, plan: Plan, ready: Ready, model: Model) -> None:
    """Write a network with its tokenizers as a new folder, in the place of an older one.

    Dropout is left out, which belongs to the training. The family is that of the model it came
    from, or of the preset, where that can express the network, and else Loquent's own.
    """
    origin, source = ready.origin, ready.origin or ready.words
    config = _without_dropout(model.config)
    family = origin.card.family if origin is not None else NETWORKS[plan.network.kind].family
    made: dict[str, NDArray[Any]] = {
        name: np.asarray(each) for name, each in weights(model).items()
    }
    unfinished = target.with_name(f".{target.name}.{token_hex(4)}")
    for name in dict.fromkeys((family, "loquent")):
        checkpoint = Checkpoint(
            config=config,
            weights=made,
            tokenizer=ready.reading.tokenizer,
            source_tokenizer=ready.reading.source,
            card=Card(
                family=name,
                name=target.parent.name,
                dtype="F32",
                license=source.card.license if source is not None else "",
            ),
            generation=_generation(plan, ready),
        )
        try:
            checkpoint.save(unfinished)
        except ConfigError:
            if name == "loquent":
                raise
            continue
        break
    _replace(unfinished, target)


def _generation(plan: Plan, ready: Ready) -> Generation:
    if ready.origin is not None:
        return generation_of(plan, ready.origin, ready.asked)
    tokenizer = ready.reading.tokenizer
    stop = () if tokenizer.end is None else (tokenizer.end,)
    start = start_of(tokenizer) if ready.task.stacks == "both" else None
    return Generation(start=tokenizer.begin, stop=stop, padding=tokenizer.pad, decoder_start=start)


def _without_dropout(config: ModelConfig) -> ModelConfig:
    def bare(stack: StackConfig | None) -> StackConfig | None:
        return None if stack is None else replace(stack, dropout=0.0, attention_dropout=-1.0)

    return replace(config, encoder=bare(config.encoder), decoder=bare(config.decoder))


def _replace(unfinished: Path, target: Path) -> None:
    """Give a finished folder its name; an older one of that name is removed behind it."""
    old = target.with_name(f".{target.name}.{token_hex(4)}.old")
    if target.exists():
        target.rename(old)
    unfinished.rename(target)
    shutil.rmtree(old, ignore_errors=True)
