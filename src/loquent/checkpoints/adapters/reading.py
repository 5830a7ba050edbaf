"""An adapter's folder to updates under our names; what is missing or of no use is told by name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.checkpoints.adapters.settings import CONFIG, PeftConfig, fits, read_peft
from loquent.checkpoints.adapters.spelling import (
    EMBEDDING,
    HEAD,
    PREFIX,
    TASKS,
    WEIGHTS,
    Spelling,
    advice,
    spelling_of,
)
from loquent.checkpoints.contents import Contents
from loquent.checkpoints.families.family import Tensors
from loquent.checkpoints.files.safetensors import open_safetensors
from loquent.checkpoints.translate import readers, stored_shape
from loquent.errors import CheckpointError, UserError, together
from loquent.model.adapter import Adapter, Update

Halves = dict[str, dict[str, str]]  # tensor by "A" and "B", by module
Arrays = dict[str, NDArray[Any]]

_HALF = re.compile(r"(.+)\.lora_(A|B)\.weight")
_TOLD = 20  # faults


def open_adapter(folder: Path, checkpoint: Contents) -> Adapter:
    """Read a LoRA adapter for a checkpoint.

    Raises CheckpointError that names every tensor which is missing, of another shape or of no use,
    and ConfigError for settings that are not executed here.
    """
    if checkpoint.card.executor != "loquent":
        raise CheckpointError(
            "is executed by transformers, and takes no adapters here.", where=checkpoint.card.name
        )
    task = TASKS.get(checkpoint.config.output, "")
    settings, path = read_peft(folder / CONFIG, task), folder / WEIGHTS
    if not path.is_file():
        fix = "PEFT's save_pretrained(…) writes it."
        raise CheckpointError("is missing.", where=str(path), fix=fix)
    tensors = open_safetensors(path)
    spelling = spelling_of(checkpoint.card.family, checkpoint.config)
    halves, whole, faults = _sorted(tensors, spelling)
    updates = _updates(tensors, halves, settings, spelling, faults)
    replaced = _replaced(tensors, whole, spelling, faults)
    faults += _disagreements(halves, whole, settings, spelling)
    untied = False
    if not faults and checkpoint.config.tied and checkpoint.config.output == "token":
        replaced, untied = _tied(replaced, checkpoint, settings.tying)
    if faults:
        raise CheckpointError(str(together(CheckpointError, faults[:_TOLD])), where=str(path))
    return Adapter(updates=updates, replaced=replaced, dropout=settings.dropout, untied=untied)


def _sorted(tensors: Tensors, spelling: Spelling) -> tuple[Halves, dict[str, str], list[UserError]]:
    """Tensors by what they are: halves of updates by module, and whole weights by foreign name."""
    halves: Halves = {}
    whole: dict[str, str] = {}
    faults: list[UserError] = []
    for tensor in tensors:
        name = tensor.removeprefix(PREFIX)
        half = _HALF.fullmatch(name)
        if not tensor.startswith(PREFIX):
            faults.append(_fault(f"should begin with {PREFIX!r}.", tensor))
        elif half is not None and (module := spelling.named(half[1], spelling.maps)):
            halves.setdefault(module, {})[half[2]] = tensor
        elif half is not None:
            what = f"changes {half[1]!r}, which is no linear map of the model's layers."
            faults.append(_fault(what, tensor, advice(half[1], spelling.maps)))
        elif ".lora_" in name:
            faults.append(_fault("is of a kind of adapter that is not executed here.", tensor))
        elif weight := spelling.named(name.replace(".base_layer.", "."), spelling.rules):
            whole[weight] = tensor
        else:
            faults.append(
                _fault("is no weight of the model.", tensor, advice(name, spelling.rules))
            )
    return halves, whole, faults


def _updates(
    tensors: Tensors,
    halves: Halves,
    settings: PeftConfig,
    spelling: Spelling,
    faults: list[UserError],
) -> dict[str, Update]:
    """The updates under our names; that of a fused map is cut, and each part has the same A."""
    made: dict[str, Update] = {}
    for module, found in halves.items():
        names = spelling.maps[module]
        sizes = [spelling.shapes[f"{name}.weight"] for name in names]
        rank = settings.rank_of(module)
        wanted = {"A": (rank, sizes[0][1]), "B": (sum(size[0] for size in sizes), rank)}
        wrong = [
            _misfit(tensors, found, half, shape)
            for half, shape in wanted.items()
            if half not in found or tensors.shape(found[half]) != shape
        ]
        faults += wrong
        if wrong:
            continue
        a, b = tensors[found["A"]], tensors[found["B"]]
        ends = np.cumsum([size[0] for size in sizes])
        parts = dict(zip(names, np.split(b, ends[:-1]), strict=True))
        learned = [name for name in names if parts[name].any()]  # others were only filled up
        for name in learned or names:
            made[name] = Update(a, parts[name], settings.scale_of(module))
    return made


def _misfit(
    tensors: Tensors, found: Mapping[str, str], half: str, shape: tuple[int, ...]
) -> UserError:
    if half not in found:
        return _fault(f"has no lora_{half} beside it.", next(iter(found.values())))
    return _fault(
        f"has the shape {tensors.shape(found[half])}, but the model and the rank in {CONFIG} ask "
        f"for {shape}.",
        found[half],
    )


def _replaced(
    tensors: Tensors, whole: Mapping[str, str], spelling: Spelling, faults: list[UserError]
) -> Arrays:
    """Weights that are stored whole, under our names."""
    made: Arrays = {}
    for foreign, tensor in whole.items():
        rule = spelling.rules[foreign]
        shape, wanted = tensors.shape(tensor), stored_shape(rule, spelling.shapes)
        if shape != wanted:
            faults.append(
                _fault(f"has the shape {shape}, but the model asks for {wanted}.", tensor)
            )
            continue
        for name, read in readers(tensors, tensor, rule, spelling.shapes, spelling.config):
            made[name] = read()
    return made


def _disagreements(
    halves: Halves, whole: Mapping[str, str], settings: PeftConfig, spelling: Spelling
) -> list[UserError]:
    """Where the settings ask for what the file does not hold, or the other way round."""
    found: list[UserError] = []
    for module in spelling.maps if settings.targets is not None else ():
        bare = module.removeprefix(spelling.prefix)
        targeted = settings.targeted(module) or settings.targeted(bare)
        if targeted and module not in halves:
            found.append(_odd(f"asks for an update of {module!r}, but there is none."))
        if module in halves and not targeted:
            found.append(_odd(f"asks for no update of {module!r}, but there is one."))
    for end in settings.saved:
        weights = [each for each in spelling.rules if fits((end,), each.rpartition(".")[0])]
        if not weights:
            found.append(_odd(f"names the module {end!r}, which the model does not have."))
        found += [
            _odd(f"asks for all of {end!r}, but {weight!r} is missing.")
            for weight in weights
            if weight not in whole
        ]
    biases = [weight for weight in spelling.rules if weight.endswith(".bias")]
    if settings.bias != "none" and biases and not any(each in whole for each in biases):
        found.append(_odd(f"says that biases learned ({settings.bias!r}), but there are none."))
    return found


def _tied(replaced: Arrays, checkpoint: Contents, tying: bool) -> tuple[Arrays, bool]:
    """Stored embeddings and heads of a base that has the two in one, and whether they part.

    PEFT runs a head that is not stored as it was, even where the embedding is, unless it is told to
    keep them tied.
    """
    head, embedding = replaced.get(HEAD), replaced.get(EMBEDDING)
    if head is None and embedding is None:
        return replaced, False
    before = checkpoint.weights[EMBEDDING]
    if embedding is not None and head is None and not (tying or np.array_equal(embedding, before)):
        raise CheckpointError(
            "the embedding is stored whole but the head is not, although the model has the two in "
            "one: they would part.",
            where=checkpoint.card.name,
            fix="Learn both with ensure_weight_tying, or store lm_head too.",
        )
    if head is None or np.array_equal(head, before if embedding is None else embedding):
        return {name: array for name, array in replaced.items() if name != HEAD}, False
    return replaced, True


def _odd(what: str) -> UserError:
    return CheckpointError(f"{CONFIG} {what}")


def _fault(what: str, tensor: str, fix: str = "") -> UserError:
    return CheckpointError(what, where=f"tensor {tensor!r}", fix=fix)
