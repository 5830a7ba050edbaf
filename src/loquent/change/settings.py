"""How a network is changed for fine-tuning, without tensors."""

import math
from dataclasses import dataclass

from loquent.errors import ConfigError, UserError, together


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Low-rank updates of linear maps, which alone learn (Hu et al. 2021)."""

    rank: int = 8
    alpha: float = 16.0  # the update is multiplied by alpha / rank
    dropout: float = 0.0  # of the updates' inputs, in training
    targets: tuple[str, ...] = ("all",)
    # "all", last names of linear maps (query, key, value, output, gate, up, down), or globs of
    # whole ones, such as "decoder.layers.1?.attention.*"
    rank_stabilized: bool = False  # alpha / √rank instead (Kalajdzievski 2023)
    learned: tuple[str, ...] = ()  # globs of weights that learn whole besides, such as "head.*"

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        rules = (
            (self.rank >= 1, f"rank must be at least 1, not {self.rank}."),
            (
                math.isfinite(self.alpha) and self.alpha > 0,
                f"alpha must be above 0, not {self.alpha}.",
            ),
            (0 <= self.dropout < 1, f"dropout must be in [0, 1), not {self.dropout}."),
            (bool(self.targets), 'targets must name something, such as "all".'),
        )
        faults: list[UserError] = [ConfigError(message) for holds, message in rules if not holds]
        if faults:
            raise together(ConfigError, faults)

    @property
    def scale(self) -> float:
        """What B · A is multiplied by."""
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilized else self.rank)
