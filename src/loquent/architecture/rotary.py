"""Rotary positions, and how they stretch beyond the trained length."""

import math
from dataclasses import dataclass
from typing import Literal

from loquent.architecture.checks import check

RotaryScaling = Literal["none", "linear", "llama3", "yarn"]


@dataclass(frozen=True, kw_only=True)
class RotaryConfig:
    """Rotary positions (Su et al. 2021) and how they stretch beyond the trained length."""

    base: float = 10000.0  # wavelength base θ
    share: float = 1.0  # share of each head's width that is rotated
    scaling: RotaryScaling = "none"
    factor: float = 1.0  # how many times longer than the original length
    original_length: int = 0  # tokens; the length before scaling ("llama3", "yarn")
    low_factor: float = 1.0  # "llama3": wavelengths over original_length/low are divided by factor
    high_factor: float = 4.0  # "llama3": wavelengths under original_length/high stay
    fast: float = 32.0  # "yarn": rotations over the original length above which nothing changes
    slow: float = 1.0  # "yarn": rotations below which the frequency is divided by factor
    magnitude: float = 1.0  # cosine and sine are multiplied by it ("yarn": 0.1 ln(factor) + 1)

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        check(
            (self.base > 1, f"rotary base must be above 1, not {self.base}."),
            (0 < self.share <= 1, f"rotary share must be in (0, 1], not {self.share}."),
            (self.factor >= 1, f"rotary factor must be at least 1, not {self.factor}."),
            (
                self.scaling not in ("llama3", "yarn") or self.original_length > 0,
                f"rotary scaling {self.scaling!r} needs original_length.",
            ),
            (
                self.scaling != "llama3" or self.high_factor > self.low_factor,
                f"rotary high_factor {self.high_factor} must be above low_factor "
                f"{self.low_factor}.",
            ),
            (
                self.scaling != "yarn" or min(self.fast, self.slow) > 0,
                "rotary fast and slow must be above 0.",
            ),
        )


def rotary_frequencies(rotary: RotaryConfig, width: int) -> list[float]:
    """Radians per position of each of the width/2 rotated pairs, scaled as `rotary` says.

    Su et al. 2021, §3.2.2; "linear": Chen et al. 2023; "llama3": Grattafiori et al. 2024, §3.4.2,
    as in Meta's released code; "yarn": Peng et al. 2023, §3.2.
    """
    plain = [rotary.base ** (-index / width) for index in range(0, width, 2)]
    if rotary.scaling == "none":
        return plain
    stretched = [each / rotary.factor for each in plain]
    if rotary.scaling == "linear":
        return stretched
    keep = _llama3_ramp(rotary, plain) if rotary.scaling == "llama3" else _yarn_ramp(rotary, width)
    return [
        share * old + (1 - share) * new
        for share, old, new in zip(keep, plain, stretched, strict=True)
    ]


def _llama3_ramp(rotary: RotaryConfig, frequencies: list[float]) -> list[float]:
    """How much of each frequency stays: all of those with many turns over the original length."""
    low, high = rotary.low_factor, rotary.high_factor
    turns = [rotary.original_length * each / (2 * math.pi) for each in frequencies]
    return [min(max((each - low) / (high - low), 0.0), 1.0) for each in turns]


def _yarn_ramp(rotary: RotaryConfig, width: int) -> list[float]:
    """The same by index of the pair: a ramp between those with `fast` and with `slow` rotations."""

    def pair(rotations: float) -> float:
        turns = rotary.original_length / (rotations * 2 * math.pi)
        return width * math.log(turns) / (2 * math.log(rotary.base))

    first = max(math.floor(pair(rotary.fast)), 0)
    last = min(math.ceil(pair(rotary.slow)), width - 1)
    span = last - first or 0.001
    return [1.0 - min(max((index - first) / span, 0.0), 1.0) for index in range(width // 2)]
