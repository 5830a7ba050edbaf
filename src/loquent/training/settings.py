"""How a network is trained: one frozen description that the loop, the log and the plan share."""

from dataclasses import dataclass
from typing import Literal

from loquent.errors import ConfigError, UserError, together

OptimizerName = Literal["adamw", "muon", "adafactor", "sgd"]
ScheduleName = Literal["constant", "cosine", "linear", "inverse_sqrt", "wsd"]
Precision = Literal["f32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One training run; that of steps, epochs, tokens and minutes which is met first ends it."""

    rate: float = 3e-4  # highest learning rate; one value suits adamw, muon and adafactor
    optimizer: OptimizerName = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)  # "adamw": decay of the two means
    epsilon: float = 1e-8  # "adamw"
    momentum: float = 0.95  # "muon" and "sgd"
    weight_decay: float = 0.1  # of matrices and embeddings only, never of biases and norms
    clip: float = 1.0  # largest norm of the whole gradient; 0: no limit
    schedule: ScheduleName = "cosine"
    warmup: float = 0.02  # share of the run, or steps where it is 1 or more
    final_rate: float = 0.1  # share of `rate` at the end
    decay: float = 0.2  # "wsd": share of the run, at its end, in which the rate falls
    steps: int = 0
    epochs: float = 0.0
    tokens: int = 0  # read, padding not counted
    minutes: float = 0.0  # by the clock, with what happens between the steps
    micro_batch: int = 0  # rows at a time; 0: all. Halved by itself when memory is short
    precision: Precision = "f32"  # "bf16": products in bfloat16, weights stay float32
    checkpointing: bool = False  # layers are computed twice, and their inner values not kept
    label_smoothing: float = 0.0
    ema: float = 0.0  # decay of an average of the weights, such as 0.999; 0: none is kept
    seed: int = 0
    compile: bool = False  # torch.compile of the stacks
    deterministic: bool = True  # on a GPU too, where it may be slower
    sharded: bool = False  # several ranks split weights and optimizer (FSDP2), not only data

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        rules = (
            (self.rate > 0, f"rate must be above 0, not {self.rate}."),
            (all(0 <= b < 1 for b in self.betas), f"betas must be in [0, 1), not {self.betas}."),
            (self.epsilon > 0, f"epsilon must be above 0, not {self.epsilon}."),
            (0 <= self.momentum < 1, f"momentum must be in [0, 1), not {self.momentum}."),
            (self.weight_decay >= 0, f"weight_decay must not be negative: {self.weight_decay}."),
            (self.clip >= 0, f"clip must not be negative, but is {self.clip}."),
            (self.warmup >= 0, f"warmup must not be negative, but is {self.warmup}."),
            (
                self.schedule != "inverse_sqrt" or self.warmup > 0,
                "the schedule 'inverse_sqrt' needs a warmup.",
            ),
            (0 <= self.final_rate <= 1, f"final_rate must be in [0, 1], not {self.final_rate}."),
            (
                self.schedule != "wsd" or self.final_rate > 0,
                "the schedule 'wsd' falls exponentially: final_rate must be above 0.",
            ),
            (0 < self.decay <= 1, f"decay must be in (0, 1], not {self.decay}."),
            (self.steps >= 0, f"steps must not be negative, but is {self.steps}."),
            (self.epochs >= 0, f"epochs must not be negative, but is {self.epochs}."),
            (self.tokens >= 0, f"tokens must not be negative, but is {self.tokens}."),
            (self.minutes >= 0, f"minutes must not be negative, but is {self.minutes}."),
            (self.micro_batch >= 0, f"micro_batch must not be negative: {self.micro_batch}."),
            (
                0 <= self.label_smoothing < 1,
                f"label_smoothing must be in [0, 1), not {self.label_smoothing}.",
            ),
            (0 <= self.ema < 1, f"ema must be in [0, 1), not {self.ema}."),
            (
                not self.sharded or self.optimizer in ("adamw", "sgd"),
                f"sharded weights need the optimizer 'adamw' or 'sgd', not {self.optimizer!r}.",
            ),
        )
        faults: list[UserError] = [ConfigError(message) for holds, message in rules if not holds]
        if faults:
            raise together(ConfigError, faults)

    def check_budget(self) -> None:
        """Raise ConfigError where nothing would end the run."""
        if not (self.steps or self.epochs or self.tokens or self.minutes):
            raise ConfigError(
                "nothing ends the training.", fix="Set steps, epochs, tokens or minutes."
            )
