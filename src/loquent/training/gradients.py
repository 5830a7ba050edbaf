"""The gradient of one big batch: in parts that the memory holds, of all ranks, and checked."""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from loquent.data.batch import Batch
from loquent.model.model import Model
from loquent.training import watch
from loquent.training.folders import Note
from loquent.training.losses import Loss
from loquent.training.preparing import rounded
from loquent.training.ranks import Ranks, local
from loquent.training.settings import TrainingConfig
from loquent.training.tensors import TensorBatch
from loquent.training.watch import TrainingError

_TRIED_ROWS = 64  # so many rows of a batch are tried alone to find those that are not finite


class Gradients:
    """Makes the gradient of the mean loss of a batch, whatever parts it is computed in."""

    def __init__(  # noqa: PLR0917  all that a gradient depends on
        self,
        model: Model,
        parameters: Mapping[str, nn.Parameter],
        loss: Loss,
        config: TrainingConfig,
        device: torch.device,
        ranks: Ranks,
        note: Note,
    ) -> None:
        self.rows = config.micro_batch  # of one part; 0: all
        self._model, self._parameters, self._loss = model, parameters, loss
        self._precision = config.precision
        self._split = config.sharded and ranks.count > 1
        self._device, self._ranks, self._note = device, ranks, note
        self._factor = 1.0  # from the gradient that is kept to that of the mean

    def of(self, batch: Batch, number: int, seed: int) -> tuple[float, int, float]:
        """The mean loss, of how many, and the norm of its gradient, over all ranks.

        Each rank computes its rows, so that ranks and parts add up to the whole batch. `seed` is
        that of everything random. Raises TrainingError where anything is not finite.
        """
        shard = batch.shard(self._ranks.rank, self._ranks.count)
        shard = filled(shard, batch, self._ranks.count) if self._split else shard
        announced = max(batch.count, 1)
        loss, count = self._of_rows(shard, 1 / announced, seed)
        gradients = self._gradients()
        if not self._split:
            self._ranks.add(gradients)
        squares = sum(norm * norm for norm in watch.norms(map(local, gradients)))
        copies = 1 if self._split else self._ranks.count  # each rank knows the whole gradient
        loss, count, squares = self._ranks.total([loss, count, squares / copies])
        if not math.isfinite(loss) or not math.isfinite(squares):
            wrong = not watch.finite(map(local, self._parameters.values()))
            (wrong_ranks,) = self._ranks.total([float(wrong)])
            fault = self._fault(shard, number, seed, loss, weights=wrong_ranks > 0)
            self.drop()
            raise fault
        self._factor = announced / count if count else 1.0  # a loss may count other things
        mean = loss / count if count else 0.0
        return mean, int(count), math.sqrt(squares) * self._factor

    def scale(self, factor: float) -> None:
        """Multiply the gradient, which is that of the mean loss from then on."""
        factor *= self._factor
        if factor != 1:
            torch._foreach_mul_(self._gradients(), factor)
        self._factor = 1.0

    def drop(self) -> None:
        """Forget the gradient and free its memory."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def check_weights(self, number: int) -> None:
        """Raise TrainingError where a weight is not finite."""
        weights = {name: local(each.detach()) for name, each in self._parameters.items()}
        if not watch.finite(weights.values()):
            raise watch.not_finite(number, "weights are", watch.faulty(weights), ())

    def _gradients(self) -> list[Tensor]:
        """Those that are there; of several ranks, each has all, so that they can be added."""
        if self._ranks.count > 1:
            for parameter in self._parameters.values():
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        return [each.grad for each in self._parameters.values() if each.grad is not None]

    def _of_rows(self, shard: Batch, scale: float, seed: int) -> tuple[float, float]:
        """The sum of losses and of how many, in parts so small that the memory is enough."""
        while True:
            try:
                return self._in_parts(shard, scale, seed)
            except (RuntimeError, MemoryError) as fault:
                if not watch.memory_is_short(fault) or self._split:
                    raise
                told = str(fault).partition("\n")[0]
            self.drop()  # outside of the handler, whose traceback holds on to the memory
            self._halve(shard, told)

    def _in_parts(self, shard: Batch, scale: float, seed: int) -> tuple[float, float]:
        self.drop()
        torch.manual_seed(seed)
        loss, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
        loss, count = loss.to(self._device), count.to(self._device)
        for part in shard.split(self.rows):
            with rounded(self._precision, self._device):
                summed, each = self._loss(self._model, TensorBatch.of(part, self._device))
            if summed.requires_grad:
                torch.autograd.backward(summed * scale)
            loss += summed.detach()
            count += each.to(self._device)
        return float(loss), float(count)

    def _halve(self, shard: Batch, told: str) -> None:
        rows = min(self.rows or len(shard.ids), len(shard.ids))
        if rows <= 1:
            raise TrainingError(
                f"the memory is too short for one row of {shard.ids.shape[-1]} tokens ({told}).",
                fix="Take a shorter length, a smaller network, or checkpointing = true.",
            )
        self.rows = -(-rows // 2)
        self._note(
            f"The memory is too short for {rows} rows at a time: {self.rows} are taken from now "
            "on. The result is the same, as their gradients are added up."
        )

    def _fault(
        self, shard: Batch, number: int, seed: int, loss: float, *, weights: bool
    ) -> TrainingError:
        """What is not finite, where, and by which examples."""
        if weights:
            told = watch.faulty({n: local(p.detach()) for n, p in self._parameters.items()})
            told = told or ["those of another rank"]
            return watch.not_finite(number, "weights are", told, shard.examples.tolist())
        if not math.isfinite(loss):
            return watch.not_finite(number, "loss is", [], self._guilty(shard, seed))
        gradients = {n: local(p.grad) for n, p in self._parameters.items() if p.grad is not None}
        told = watch.faulty(gradients) or ["its norm is too large"]
        return watch.not_finite(number, "gradient is", told, self._guilty(shard, seed))

    def _guilty(self, shard: Batch, seed: int) -> list[int]:
        """The examples that are not finite alone; all of them where it cannot be told."""
        if self._split or len(shard.ids) > _TRIED_ROWS:
            return list(map(int, shard.examples))
        found = []
        for row in shard.split(1):
            rows, self.rows = self.rows, 1
            loss, _ = self._in_parts(row, 1.0, seed)
            self.rows = rows
            gradients = [p.grad for p in self._parameters.values() if p.grad is not None]
            if not math.isfinite(loss) or not watch.finite(gradients):
                found += list(map(int, row.examples))
        return found or list(map(int, shard.examples))


def filled(shard: Batch, batch: Batch, ranks: int) -> Batch:
    """A shard with as many rows as any other: a last one, of which nothing is learned, is added.

    Ranks that split the weights must compute side by side.
    """
    if len(shard.ids) == -(-len(batch.ids) // ranks):
        return shard
    made: dict[str, Any] = {}
    for field in fields(batch):
        own, first = getattr(shard, field.name), getattr(batch, field.name)
        if isinstance(own, np.ndarray):
            row = first[:1] if field.name not in ("targets", "labels") else first[:1] * 0 - 1
            made[field.name] = np.concatenate((own, row))
    return replace(shard, **made)
