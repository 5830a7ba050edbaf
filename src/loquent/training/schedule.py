"""Learning rates and budgets: how far a training is, and how large its next step is."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loquent.training.settings import ScheduleName, TrainingConfig


@dataclass(frozen=True)
class Done:
    """What was done so far, in each of the units that a budget can have."""

    steps: float = 0
    tokens: float = 0
    seconds: float = 0.0
    epochs: float = 0.0

    def middle(self, later: "Done") -> "Done":
        """Halfway between two moments."""
        return Done(
            (self.steps + later.steps) / 2,
            (self.tokens + later.tokens) / 2,
            (self.seconds + later.seconds) / 2,
            (self.epochs + later.epochs) / 2,
        )


def share_of_budget(config: TrainingConfig, done: Done) -> float:
    """The share of the run that is over, 0 to 1, by the budget that is used up the most."""
    budgets = (
        (done.steps, config.steps),
        (done.tokens, config.tokens),
        (done.seconds, 60 * config.minutes),
        (done.epochs, config.epochs),
    )
    return min(max((used / most for used, most in budgets if most), default=0.0), 1.0)


def rate_at(config: TrainingConfig, share: float, steps: float) -> float:
    """The learning rate at a share of the run, in which `steps` steps were taken.

    A warmup that is given in steps is the share of the run that so many steps take at the pace so
    far. A step counts by its middle, so that neither the first nor the last has the rate 0.
    """
    warmup = config.warmup
    if warmup >= 1:
        warmup = warmup * share / steps if steps else 1.0
    return config.rate * SCHEDULES[config.schedule](share, warmup, config)


def _risen(share: float, warmup: float) -> float:
    return min(share / warmup, 1.0) if warmup else 1.0


def _fallen(share: float, warmup: float) -> float:
    """The share of the way from the end of the warmup to the end of the run."""
    return min(max((share - warmup) / (1 - warmup), 0.0), 1.0) if warmup < 1 else 0.0


def constant(share: float, warmup: float, config: TrainingConfig) -> float:
    """Linear warmup, then the full rate; of `config` nothing is needed."""
    return _risen(share, warmup)


def linear(share: float, warmup: float, config: TrainingConfig) -> float:
    """Linear warmup, then a straight line to the final rate."""
    return _risen(share, warmup) * (1 - (1 - config.final_rate) * _fallen(share, warmup))


def cosine(share: float, warmup: float, config: TrainingConfig) -> float:
    """Linear warmup, then half a cosine to the final rate (Loshchilov and Hutter 2017, §3)."""
    height = (1 + math.cos(math.pi * _fallen(share, warmup))) / 2
    return _risen(share, warmup) * (config.final_rate + (1 - config.final_rate) * height)


def inverse_sqrt(share: float, warmup: float, config: TrainingConfig) -> float:
    """Linear warmup, then falling as 1/√step (Vaswani et al. 2017, §5.3), to no given end."""
    return _risen(share, warmup) * math.sqrt(min(warmup / share, 1.0) if share else 1.0)


def wsd(share: float, warmup: float, config: TrainingConfig) -> float:
    """Linear warmup, the full rate, and a last part in which it falls exponentially.

    Warmup, stable, decay: Hu et al. 2024, §4.2.
    """
    over = max((share - (1 - config.decay)) / config.decay, 0.0)
    return _risen(share, warmup) * float(config.final_rate**over)


SCHEDULES: Mapping[ScheduleName, Callable[[float, float, TrainingConfig], float]] = {
    "constant": constant,
    "cosine": cosine,
    "linear": linear,
    "inverse_sqrt": inverse_sqrt,
    "wsd": wsd,
}
