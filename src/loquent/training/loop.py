"""The one loop: batch, gradient, check, update. All else is settings, losses or batches."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Protocol

import torch

from loquent.data.batch import Batch
from loquent.data.permutation import mix
from loquent.data.settings import Place
from loquent.errors import ConfigError
from loquent.model.model import Model
from loquent.training import memory, saving
from loquent.training.average import Average
from loquent.training.folders import Note
from loquent.training.gradients import Gradients
from loquent.training.losses import Loss, loss_of
from loquent.training.optimizers import Optimizers
from loquent.training.preparing import exactly, prepare
from loquent.training.ranks import ALONE, Ranks
from loquent.training.saved import Saved
from loquent.training.schedule import Done, rate_at, share_of_budget
from loquent.training.settings import TrainingConfig
from loquent.training.watch import check_ids


@dataclass(frozen=True)
class Step:
    """What one step was like, over all ranks; the weights are already updated by it."""

    number: int  # from 1
    loss: float  # mean over what was learned
    rate: float
    gradient_norm: float  # before it was clipped
    tokens: int  # read in all steps so far, padding not counted
    seconds: float  # of the training so far, with what happened between the steps
    share: float  # of the budget that is used up
    place: Place  # of the next batch
    last: bool
    step_seconds: float = 0.0  # of this step alone


class BatchSource(Protocol):
    """Batches that are a pure function of their place."""

    def size(self, epoch: int) -> int:
        """How many batches an epoch has."""
        ...

    def at(self, place: Place) -> Batch:
        """The batch of a place."""
        ...

    def after(self, place: Place) -> Place:
        """The place of the next batch."""
        ...


def _silent(note: str) -> None:
    """Tell nobody."""


class Learner:
    """A network that learns: all that changes in a training, step by step."""

    def __init__(
        self,
        model: Model,
        batches: BatchSource,
        config: TrainingConfig,
        *,
        loss: Loss | None = None,
        ranks: Ranks = ALONE,
        device: str | torch.device = "cpu",
        note: Note = _silent,
    ) -> None:
        """Without `loss`, that of the model's output; `note` is told what a person should know.

        Raises ConfigError for settings that this model or machine cannot follow.
        """
        config.check_budget()
        device = torch.device(device)
        self.model, self.batches, self.config, self.ranks = model, batches, config, ranks
        prepare(model, config, device, ranks)
        self.parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise ConfigError("every weight is frozen: there is nothing to learn.")
        loss = loss or loss_of(model.config.output, config.label_smoothing)
        self.gradients = Gradients(model, self.parameters, loss, config, device, ranks, note)
        self.optimizers = Optimizers(self.parameters, config)
        self.average = Average(self.parameters, config.ema) if config.ema else None
        self.number = 0  # of steps taken
        self.tokens = 0
        self.place = Place()
        self._device, self._note = device, note
        self._earlier, self._started = 0.0, -1.0  # seconds before the clock started, and when
        self._pace = 0.0  # seconds of a step, of late

    @property
    def seconds(self) -> float:
        """How long the training has taken, what ran before a restore included."""
        return self._earlier + (time.perf_counter() - self._started if self._started >= 0 else 0)

    def steps(self) -> Iterator[Step]:
        """Learn until the budget is used up; between two steps the caller may save and evaluate.

        Raises TrainingError, before any weight is changed, for numbers that are not finite and for
        a memory that is too short for one row; DataError for ids that the network does not know.
        """
        self._earlier, self._started = self.seconds, time.perf_counter()
        last = share_of_budget(self.config, self._done()) >= 1
        with memory.kept(self._device):
            while not last:
                step = self._step()
                last = step.last
                yield step

    def state(self) -> Saved:
        """All that the training needs to go on bit by bit; the tensors are those that learn on.

        Frozen weights are not part of it. All ranks ask for it together. Raises TrainingError where
        a weight is not finite, so that nothing good is overwritten by it.
        """
        self.gradients.check_weights(self.number)
        values = {
            "step": self.number,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "place": asdict(self.place),
            "rows": self.gradients.rows,
            "optimizer": self.config.optimizer,
        }
        return Saved(saving.gathered(self.parameters, self.average, self.optimizers), values)

    def restore(self, saved: Saved) -> None:
        """Be as the learner was whose state this is.

        Raises CheckpointError, and changes nothing, where that one was of another shape or kind.
        """
        saving.check(saved, self.parameters, self.average, self.config)
        saving.spread(saved.tensors, self.parameters, self.average, self.optimizers)
        values = saved.values
        self.number, self.tokens = int(values["step"]), int(values["tokens"])
        self.place = Place(**values["place"])
        self.gradients.rows = int(values["rows"])
        self._earlier, self._started = float(values["seconds"]), -1.0

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the model has the average of its weights, where one is kept; then its own."""
        return saving.swapped(self.parameters, self.average)

    def _step(self) -> Step:
        began = time.perf_counter()
        number, batch = self.number + 1, self.batches.at(self.place)
        check_ids(batch, self.model.config)
        tokens = self.tokens + _tokens(batch)
        after = self.batches.after(self.place)
        before = self._done()
        later = Done(number, tokens, before.seconds + self._pace, self._epochs(after))
        middle = before.middle(later)
        rate = rate_at(self.config, share_of_budget(self.config, middle), middle.steps)
        with exactly(self.config, self._device):
            loss, norm = self._learn(batch, number, rate)
        self.number, self.tokens, self.place = number, tokens, after
        taken = time.perf_counter() - began
        self._pace = self._agreed((self._pace + taken) / 2 if self._pace else taken)
        done = self._done()
        share = share_of_budget(self.config, done)
        late = self.config.minutes and done.seconds + self._pace > 60 * self.config.minutes
        last = share >= 1 or bool(late)
        return Step(
            number, loss, rate, norm, tokens, done.seconds, share, after, last, step_seconds=taken
        )

    def _learn(self, batch: Batch, number: int, rate: float) -> tuple[float, float]:
        """Update the weights once; the mean loss of the batch and the gradient's norm."""
        self.model.train()
        seed = mix(self.config.seed, number, self.ranks.rank)
        loss, count, norm = self.gradients.of(batch, number, seed)
        if not count:
            told = ", ".join(map(str, batch.examples[:8].tolist()))
            self._note(f"step {number}: there is nothing to learn in its examples ({told} …).")
            return 0.0, 0.0
        clip = self.config.clip
        self.gradients.scale(clip / norm if clip and norm > clip else 1.0)
        self.optimizers.step(rate)
        self.gradients.drop()
        if self.average is not None:
            self.average.update(number)
        return loss, norm

    def _done(self) -> Done:
        """What all ranks agree is done."""
        seconds = self._agreed(self.seconds)
        return Done(self.number, self.tokens, seconds, self._epochs(self.place))

    def _agreed(self, seconds: float) -> float:
        """The mean of all ranks' clocks, where a clock decides on rates and on the last step."""
        if not self.config.minutes or self.ranks.count == 1:
            return seconds
        return self.ranks.total([seconds])[0] / self.ranks.count

    def _epochs(self, place: Place) -> float:
        return place.epoch + place.index / max(self.batches.size(place.epoch), 1)


def _tokens(batch: Batch) -> int:
    """How many ids the network reads, padding not counted."""
    read = int(batch.lengths.sum())
    return read if batch.source_lengths is None else read + int(batch.source_lengths.sum())


def train(
    model: Model,
    batches: BatchSource,
    config: TrainingConfig,
    *,
    loss: Loss | None = None,
    ranks: Ranks = ALONE,
    device: str | torch.device = "cpu",
    saved: Saved | None = None,
) -> Iterator[Step]:
    """Train a model from the start, or on from what was saved: the steps of a Learner."""
    learner = Learner(model, batches, config, loss=loss, ranks=ranks, device=device)
    if saved is not None:
        learner.restore(saved)
    return learner.steps()
