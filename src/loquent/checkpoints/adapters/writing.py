"""Updates under our names to an adapter's folder that the PEFT library opens.

What can be said there: an update of any linear map of a layer. GPT-2 stores query, key and value as
one map, `c_attn`: updates with one A in common become one, and others one with A below A and a
block-diagonal B – exactly the same network, of a higher rank. Weights that learned whole are stored
whole (`modules_to_save`, `bias`). A tied embedding cannot be: PEFT would leave the head as it was.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.adapters.settings import CONFIG, endings
from loquent.checkpoints.adapters.spelling import (
    EMBEDDING,
    PREFIX,
    TASKS,
    WEIGHTS,
    Spelling,
    spelling_of,
)
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.families.own import OWN
from loquent.checkpoints.files.safetensors import write_safetensors
from loquent.checkpoints.generation import Generation, to_config
from loquent.checkpoints.saving import described_by, new_folder, write_json
from loquent.checkpoints.translate import joined, names_of, turned
from loquent.errors import ConfigError, UserError, together
from loquent.model.adapter import Adapter, Update

_MERGE = "Merge it, and save the whole model."
Updates = dict[str, Update]  # by foreign module
Arrays = dict[str, NDArray[Any]]  # by foreign weight


def save_adapter(
    folder: Path,
    adapter: Adapter,
    *,
    family: str,
    config: ModelConfig,
    base: str = "",
    generation: Generation | None = None,
) -> None:
    """Write a new folder for a base of this family and these settings; `base` is its name.

    A head for texts is described in config.json beside it, and with `generation` there and in
    generation_config.json how the model is to be asked. Raises CheckpointError where the folder
    exists or cannot be written, and ConfigError that names everything which cannot be said in this
    format.
    """
    own = family == OWN.name
    task = TASKS.get(config.output)
    of_family = task is not None and config.output in FAMILIES[family].heads
    if config.output != "token" and not (own or of_family):
        raise ConfigError(
            f"a network with the output {config.output!r} is no base of the family {family!r}.",
            fix=_MERGE,
        )
    described: dict[str, Any] | None = None
    if of_family or generation is not None:
        described = described_by(FAMILIES[family], config, generation or Generation())
    spelling = spelling_of(family, config)
    tied = config.tied and not adapter.untied and EMBEDDING in adapter.replaced
    faults = _unsayable(adapter, spelling)
    if tied and not own:
        faults.append(ConfigError("a tied embedding that learned whole.", fix=_MERGE))
    if faults:
        raise together(ConfigError, faults[:20])
    updates = _fused(adapter, spelling)
    weights = _whole(adapter, spelling)
    tensors = _tensors(updates, weights)
    values = _settings(updates, weights, spelling, tied) | {
        "base_model_name_or_path": base or None,
        "lora_dropout": adapter.dropout,
        "task_type": task or _writes(config),
    }
    sizes = {name: array.shape for name, array in tensors.items()}
    with new_folder(folder) as unfinished:
        write_safetensors(unfinished / WEIGHTS, sizes, tensors.__getitem__)
        write_json(unfinished / CONFIG, dict(sorted(values.items())))
        if described is not None:  # the base alone does not say which head this is for
            write_json(unfinished / "config.json", described)
        if generation is not None:
            write_json(unfinished / "generation_config.json", to_config(generation))


def _writes(config: ModelConfig) -> str | None:
    """What PEFT calls the task of a network that writes."""
    if config.decoder is None or config.output != "token":
        return None
    return "CAUSAL_LM" if config.encoder is None else "SEQ_2_SEQ_LM"


def _unsayable(adapter: Adapter, spelling: Spelling) -> list[UserError]:
    """What has no name, or only a part of something that has one."""
    maps = {name for names in spelling.maps.values() for name in names}
    weights = {name for rule in spelling.rules.values() for name in names_of(rule)}
    lost = [*(set(adapter.updates) - maps), *(set(adapter.replaced) - weights)]
    faults: list[UserError] = [
        ConfigError(f"the family has no name for {name!r}.", fix=_MERGE) for name in sorted(lost)
    ]
    learned = {
        foreign: [name in adapter.replaced for name in names_of(rule)]
        for foreign, rule in spelling.rules.items()
    }
    for foreign, parts in learned.items():
        module, _, kind = foreign.rpartition(".")
        partly = any(parts) and not all(parts)
        # a bias may learn alone, a module's weight only with all of the module
        alone = kind == "bias" and f"{module}.weight" in learned and not any(parts)
        if partly or (alone and any(learned[f"{module}.weight"])):
            faults.append(
                ConfigError(
                    f"{foreign!r} did not learn with all that it is stored with.",
                    fix=f"Let all of {', '.join(names_of(spelling.rules[foreign]))} learn.",
                )
            )
    return faults


def _fused(adapter: Adapter, spelling: Spelling) -> Updates:
    """One update for each foreign map, of those of the maps that are one there."""
    made: Updates = {}
    for module, names in spelling.maps.items():
        parts = [adapter.updates.get(name) for name in names]
        given = [part for part in parts if part is not None]
        if given:
            heights = [spelling.shapes[f"{name}.weight"][0] for name in names]
            made[module] = given[0] if len(names) == 1 else _stacked(parts, given, heights)
    return made


def _stacked(
    parts: Sequence[Update | None], given: Sequence[Update], heights: Sequence[int]
) -> Update:
    """Updates of maps one behind the other as one; parts without an update get zeros."""
    first = given[0]
    common = all(np.array_equal(part.a, first.a) for part in given)
    rank = len(first.a) if common else sum(len(part.a) for part in given)
    b = np.zeros((sum(heights), rank), first.b.dtype)
    row = column = 0
    for part, height in zip(parts, heights, strict=True):
        if part is not None:
            width = len(part.a)
            b[row : row + height, column : column + width] = part.b * (part.scale / first.scale)
            column += 0 if common else width
        row += height
    return Update(first.a if common else np.concatenate([part.a for part in given]), b, first.scale)


def _whole(adapter: Adapter, spelling: Spelling) -> Arrays:
    """Weights that learned whole, as the family stores them."""
    made: Arrays = {}
    for foreign, rule in spelling.rules.items():
        names = names_of(rule)
        if names[0] in adapter.replaced:
            made[foreign] = joined([adapter.replaced[name] for name in names], rule)
    return made


def _tensors(updates: Updates, weights: Arrays) -> Arrays:
    """All tensors by the names that PEFT gives them; it puts an adapted map into `base_layer`."""
    made: Arrays = {}
    for module, update in updates.items():
        made[f"{PREFIX}{module}.lora_A.weight"] = update.a
        made[f"{PREFIX}{module}.lora_B.weight"] = update.b
    for foreign, array in weights.items():
        module, _, kind = foreign.rpartition(".")
        within = ".base_layer" if module in updates else ""
        made[f"{PREFIX}{module}{within}.{kind}"] = array
    return made


def _settings(updates: Updates, weights: Arrays, spelling: Spelling, tied: bool) -> dict[str, Any]:
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in spelling.rules))
    ranks = {module: len(update.a) for module, update in updates.items()}
    # factors are stored as alpha / rank
    alphas = {module: _number(updates[module].scale * rank) for module, rank in ranks.items()}
    rank, alpha = _commonest(ranks, 8), _commonest(alphas, 8)
    saved = {name.rpartition(".")[0] for name in weights if name.endswith(".weight")}
    alone = [name for name in weights if name.rpartition(".")[0] not in saved]
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": endings(list(updates), modules),
        "rank_pattern": _pattern(ranks, rank, modules),
        "alpha_pattern": _pattern(alphas, alpha, modules),
        "modules_to_save": sorted(saved) or None,
        "bias": "all" if alone else "none",
        "fan_in_fan_out": any(turned(spelling.rules[f"{each}.weight"]) for each in updates),
        "use_rslora": False,
        "use_dora": False,
        "init_lora_weights": True,
        "inference_mode": True,
        **({"ensure_weight_tying": True} if tied else {}),
    }


def _pattern(
    values: Mapping[str, float], common: float, modules: Sequence[str]
) -> dict[str, float]:
    """What is not common, by the shortest ends of names."""
    others = sorted(set(values.values()) - {common})
    return {
        end: value
        for value in others
        for end in endings([name for name, each in values.items() if each == value], modules)
    }


def _commonest(values: Mapping[str, float], default: float) -> float:
    return Counter(values.values()).most_common(1)[0][0] if values else default


def _number(value: float) -> float:
    """A whole number as such, so that what was given comes back: 16, not 16.0."""
    near = round(value)
    return near if abs(value - near) < 1e-9 * abs(value) else value
