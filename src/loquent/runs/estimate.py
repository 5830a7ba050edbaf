"""What a run will take, measured before it starts: seconds, steps and memory."""

import sys
from dataclasses import dataclass
from time import perf_counter

import torch

from loquent.data.order import Batches, Place
from loquent.model.model import Model
from loquent.training.losses import Loss
from loquent.training.preparing import rounded
from loquent.training.settings import TrainingConfig
from loquent.training.tensors import TensorBatch

_NUMBER_BYTES = 4
# Numbers that an optimizer keeps of each weight; "adafactor" keeps rows and columns only.
_KEPT = {"adamw": 2.0, "muon": 1.0, "sgd": 1.0, "adafactor": 0.1}
_STEP_COST = 1.1  # of forward and backward: what the optimizer and reading add, roughly


@dataclass(frozen=True)
class Estimate:
    """How long a run takes and what it holds in memory, from two real passes."""

    parameters: int
    learned: int  # parameters that are not frozen
    steps: int
    tokens: int  # of all steps
    seconds: float
    tokens_per_second: float
    memory_bytes: int  # at the peak: all of the process on the CPU, of the GPU else

    def sentence(self) -> str:
        """The same in words."""
        return (
            f"about {self.steps:,} steps of {self.tokens // max(self.steps, 1):,} tokens in "
            f"{self.seconds / 60:.1f} minutes at {self.tokens_per_second:,.0f} tokens/s, "
            f"{self.memory_bytes / 1e9:.2f} GB of memory, {self.parameters:,} parameters"
        )


def estimate(
    model: Model, batches: Batches, config: TrainingConfig, loss: Loss, device: str
) -> Estimate:
    """Pass two real batches forward and backward; the weights stay as they are.

    The first pass warms up, the second is timed.
    """
    rows = config.micro_batch
    seconds, tokens, place = 0.0, 0, Place()
    model.train()
    for _ in range(2):
        batch = batches.at(place)
        started, tokens = perf_counter(), int(batch.lengths.sum())
        tokens += 0 if batch.source_lengths is None else int(batch.source_lengths.sum())
        for part in batch.split(rows):
            with rounded(config.precision, torch.device(device)):
                total, count = loss(model, TensorBatch.of(part, device))
            (total / count.clamp(min=1)).backward()  # type: ignore[no-untyped-call]
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds = perf_counter() - started
        place = batches.after(place)
    memory = peak_bytes(device)
    model.zero_grad(set_to_none=True)
    learned = sum(each.numel() for each in model.parameters() if each.requires_grad)
    kept = _KEPT[config.optimizer] + (config.ema > 0)
    each = seconds * _STEP_COST
    steps = steps_of(config, batches, tokens, each)
    return Estimate(
        parameters=sum(each.numel() for each in model.parameters()),
        learned=learned,
        steps=steps,
        tokens=steps * tokens,
        seconds=steps * each,
        tokens_per_second=tokens / each,
        memory_bytes=memory + int(kept * learned * _NUMBER_BYTES),
    )


def memory_bytes() -> int:
    """The most memory that was in use so far, of the GPU where one is used."""
    used = torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0
    return peak_bytes("cuda" if used else "cpu")


def steps_of(config: TrainingConfig, batches: Batches, tokens: int, seconds: float) -> int:
    """How many steps fit into the budgets, of which the first met ends the run."""
    limits = [
        config.steps or None,
        round(config.epochs * batches.size(0)) if config.epochs else None,
        -(-config.tokens // max(tokens, 1)) if config.tokens else None,
        int(config.minutes * 60 / max(seconds, 1e-9)) if config.minutes else None,
    ]
    return max(min((each for each in limits if each is not None), default=0), 1)


def peak_bytes(device: str) -> int:
    """The most memory that was in use so far: of the GPU there, else of this process."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    try:
        from resource import RUSAGE_SELF, getrusage  # noqa: PLC0415  # not on Windows
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return getrusage(RUSAGE_SELF).ru_maxrss * unit
