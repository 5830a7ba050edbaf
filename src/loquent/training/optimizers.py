"""Optimizers: what a gradient does to a weight."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from loquent.errors import CheckpointError, UserError, nearest, together
from loquent.training.ranks import split_like
from loquent.training.settings import TrainingConfig

Named = Mapping[str, nn.Parameter]


class Optimizers:
    """One optimizer or two that together update all weights, with their state under names."""

    def __init__(self, parameters: Named, config: TrainingConfig) -> None:
        self._parameters = parameters
        self._parts = _made(parameters, config)

    def step(self, rate: float) -> None:
        """Update every weight by its gradient."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def state(self) -> dict[str, Tensor]:
        """What the optimizers remember of each weight, as `NAME.KEY`; the memory is shared."""
        return {
            f"{name}.{key}": value
            for name, parameter in self._parameters.items()
            for part in self._parts
            for key, value in part.state.get(parameter, {}).items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Remember what `state` says; raises CheckpointError for what belongs to no weight."""
        faults: list[UserError] = []
        owners = {id(each): part for part in self._parts for each in _parameters_of(part)}
        for full, value in state.items():
            name, _, key = full.rpartition(".")
            parameter = self._parameters.get(name)
            if parameter is None:
                fix = nearest(name, self._parameters)
                faults.append(CheckpointError(f"optimizer state {full!r} is left over.", fix=fix))
                continue
            kept = value.to(parameter.device, copy=True)
            if kept.shape == parameter.shape:
                kept = split_like(kept, parameter)
            owners[id(parameter)].state[parameter][key] = kept
        if faults:
            raise together(CheckpointError, faults)


class Muon(Optimizer):
    """Momentum whose matrix is made nearly orthogonal (Jordan et al. 2024).

    The update is scaled by 0.2·√(larger side), so that its values are about as large as AdamW's
    and one learning rate and weight decay serve both (Liu et al. 2025, §2.2).
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, momentum: float, weight_decay: float
    ) -> None:
        defaults = {"lr": 0.0, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            for weight in (each for each in group["params"] if each.grad is not None):
                state = self.state[weight]
                if not state:
                    state["mean"] = torch.zeros_like(weight)
                mean, momentum = state["mean"], group["momentum"]
                mean.mul_(momentum).add_(weight.grad)
                update = orthogonal((weight.grad + momentum * mean).flatten(1))
                scale = 0.2 * math.sqrt(max(update.shape))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.view_as(weight), alpha=-group["lr"] * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix (M, N) with all singular values brought near to 1, in five steps.

    A Newton–Schulz iteration whose odd polynomial of degree 5 was fitted to be steep at 0 (Jordan
    et al. 2024); they end between about 0.7 and 1.2.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if tall else matrix
    x = x.bfloat16() if x.is_cuda else x  # as exact as this needs to be, and much quicker there
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.t()
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    made: Tensor = (x.t() if tall else x).to(matrix.dtype)
    return made


class Adafactor(Optimizer):
    """Adam without a mean, and a matrix of squares known by its rows and columns.

    Shazeer and Stern 2018: factored squares (§3), their decay 1 - t^-0.8 (§7.2) and updates
    clipped to a root mean square of 1 (§6). Steps are not relative to the weight's size (§8), so
    that a learning rate means what it does to AdamW.
    """

    def __init__(self, parameters: Iterable[nn.Parameter] | list[dict[str, Any]]) -> None:
        super().__init__(parameters, {"lr": 0.0, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weight in (each for each in group["params"] if each.grad is not None):
                update = self._update(self.state[weight], weight.grad)
                update /= (update.square().mean().sqrt()).clamp(min=1.0)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"])

    def _update(self, state: dict[str, Tensor], gradient: Tensor) -> Tensor:
        """The gradient divided by the root of the running mean of its squares."""
        square = gradient.square() + 1e-30
        if not state:
            state["step"] = torch.zeros(())
            if gradient.ndim >= 2:
                state["rows"] = torch.zeros_like(square.mean(-1))
                state["columns"] = torch.zeros_like(square.mean(-2))
            else:
                state["square"] = torch.zeros_like(square)
        state["step"] += 1
        new = float(state["step"]) ** -0.8  # weight of the new square
        if gradient.ndim < 2:
            return gradient / state["square"].lerp_(square, new).sqrt()
        rows = state["rows"].lerp_(square.mean(-1), new)
        columns = state["columns"].lerp_(square.mean(-2), new)
        across = (rows / rows.mean(-1, keepdim=True)).rsqrt()[..., None]
        return gradient * across * columns.rsqrt()[..., None, :]


def _made(parameters: Named, config: TrainingConfig) -> Sequence[Optimizer]:
    """Weight decay is for matrices and embeddings; Muon for the matrices within layers."""
    if config.optimizer == "muon":
        inner = [each for name, each in parameters.items() if _within(name, each)]
        outer = [each for name, each in parameters.items() if not _within(name, each)]
        muon = Muon(inner, momentum=config.momentum, weight_decay=config.weight_decay)
        parts = [muon] if inner else []
        return [*parts, _adamw(outer, config)] if outer else parts
    every = list(parameters.values())
    if config.optimizer == "adamw":
        return [_adamw(every, config)]
    if config.optimizer == "adafactor":
        return [Adafactor(_decayed(every, config))]
    return [SGD(_decayed(every, config), lr=config.rate, momentum=config.momentum)]


def _within(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2 and ".layers." in name


def _adamw(parameters: Sequence[nn.Parameter], config: TrainingConfig) -> AdamW:
    groups = _decayed(parameters, config)
    return AdamW(groups, lr=config.rate, betas=config.betas, eps=config.epsilon, fused=True)


def _decayed(parameters: Sequence[nn.Parameter], config: TrainingConfig) -> list[dict[str, Any]]:
    matrices = [each for each in parameters if each.ndim >= 2]
    vectors = [each for each in parameters if each.ndim < 2]
    groups = ((matrices, config.weight_decay), (vectors, 0.0))
    return [{"params": each, "weight_decay": decay} for each, decay in groups if each]


def _parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    return [each for group in optimizer.param_groups for each in group["params"]]
