"""Between a learner and what is saved of it: names, checks, and parts of several ranks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from loquent.errors import CheckpointError, UserError, together
from loquent.training.average import Average
from loquent.training.optimizers import Optimizers
from loquent.training.ranks import split_like, whole
from loquent.training.saved import Saved
from loquent.training.settings import TrainingConfig

Parameters = Mapping[str, nn.Parameter]


def gathered(
    parameters: Parameters, average: Average | None, optimizers: Optimizers
) -> dict[str, Tensor]:
    """All tensors of a learner under their names: `model.NAME`, `ema.NAME`, `optimizer.NAME.KEY`.

    Those that ranks have split are gathered, so that each rank must ask; the others are not copied.
    """
    tensors = _own(parameters, average)
    tensors |= {f"optimizer.{name}": each for name, each in optimizers.state().items()}
    return {name: whole(each.detach()) for name, each in tensors.items()}


def check(
    saved: Saved, parameters: Parameters, average: Average | None, config: TrainingConfig
) -> None:
    """Raise CheckpointError for tensors that are missing, left over or of another shape."""
    faults: list[UserError] = []
    wanted = _own(parameters, average)
    for name, tensor in wanted.items():
        given = saved.tensors.get(name)
        if given is None:
            faults.append(CheckpointError(f"tensor {name!r} is missing."))
        elif given.shape != tensor.shape:
            told = f"{tuple(given.shape)}, not {tuple(tensor.shape)}"
            faults.append(CheckpointError(f"tensor {name!r} has the shape {told}."))
    kept = {name for name in saved.tensors if not name.startswith("optimizer.")}
    faults += [
        CheckpointError(f"tensor {name!r} is left over.") for name in sorted(kept - set(wanted))
    ]
    used = saved.values.get("optimizer")
    if used != config.optimizer:
        faults.append(
            CheckpointError(f"the optimizer was {used!r}, but is {config.optimizer!r} now.")
        )
    if faults:
        raise together(CheckpointError, faults)


def spread(
    tensors: Mapping[str, Tensor],
    parameters: Parameters,
    average: Average | None,
    optimizers: Optimizers,
) -> None:
    """Give each part of a learner its tensors, which `check` has passed."""
    prefix = "optimizer."
    optimizers.restore(
        {name[len(prefix) :]: each for name, each in tensors.items() if name.startswith(prefix)}
    )
    with torch.no_grad():
        for name, tensor in _own(parameters, average).items():
            tensor.copy_(split_like(tensors[name].to(tensor.device), tensor))


@contextmanager
def swapped(parameters: Parameters, average: Average | None) -> Iterator[None]:
    """Within, the weights and their average have changed places."""
    _swap(parameters, average)
    try:
        yield
    finally:
        _swap(parameters, average)


def _swap(parameters: Parameters, average: Average | None) -> None:
    if average is None:
        return
    with torch.no_grad():
        for name, parameter in parameters.items():
            kept = parameter.clone()
            parameter.copy_(average.tensors[name])
            average.tensors[name].copy_(kept)


def _own(parameters: Parameters, average: Average | None) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {f"model.{name}": each for name, each in parameters.items()}
    if average is not None:
        tensors |= {f"ema.{name}": each for name, each in average.tensors.items()}
    return tensors
