"""What reads a sound in place of an embedding."""

import math
from dataclasses import dataclass
from typing import Literal

from loquent.architecture.checks import check
from loquent.architecture.parts import Activation

Spectrum = Literal["whisper", "banks", "loud_banks", "samples", "even_samples"]
FrontNorms = Literal["none", "first", "all"]

FRONT_LAYERS = 16  # convolutions of a front at most


@dataclass(frozen=True, kw_only=True)
class FrontConfig:
    """Convolutions over features of a sound, in place of an embedding (Radford et al. 2022, §2.2).

    Each is followed by the activation, and sees as many frames before a frame as behind it; or,
    where they are not padded, only windows that lie within the sound (Baevski et al. 2020, §2).
    """

    features: int  # values of each frame, such as mel bins
    kernels: tuple[int, ...] = (3, 3)  # frames seen by each convolution
    strides: tuple[int, ...] = (1, 2)  # of so many frames each makes one
    activation: Activation = "gelu"
    spectrum: Spectrum = "whisper"  # what is computed of a sound, see `audio/features.py`
    rate: int = 16_000  # samples of a second
    width: int = 0  # of their states; 0: that of the stack
    padded: bool = True
    bias: bool = True  # of the convolutions
    norms: FrontNorms = "none"  # "first": behind the first, of each channel over time; "all": a
    # LayerNorm behind each
    projected: bool = False  # a linear map brings their states to the stack's width
    projection_norm: bool = False  # a LayerNorm before that map

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        check(
            (
                0 < len(self.kernels) <= FRONT_LAYERS,
                f"a front has 1 to {FRONT_LAYERS} convolutions, not {len(self.kernels)}.",
            ),
            (self.width >= 0, f"width of a front must not be negative, but is {self.width}."),
            (
                self.projected or not (self.width or self.projection_norm),
                "width and projection_norm of a front need projected.",
            ),
            (self.rate >= 1000, f"rate must be at least 1,000, not {self.rate}."),
            (
                self.spectrum != "whisper" or self.rate == 16_000,
                f"the spectrum 'whisper' is of 16,000 samples a second, not {self.rate:,}.",
            ),
            (self.features >= 1, f"features must be at least 1, not {self.features}."),
            (
                all(kernel >= 1 and (kernel % 2 or not self.padded) for kernel in self.kernels),
                f"kernels of a padded front must be odd, not {self.kernels}.",
            ),
            (
                len(self.strides) == len(self.kernels) and all(each >= 1 for each in self.strides),
                f"each of the {len(self.kernels)} convolutions needs a stride of at least 1.",
            ),
        )

    @property
    def stride(self) -> int:
        """How many frames become one state."""
        return math.prod(self.strides)

    @property
    def plain(self) -> bool:
        """Whether it is padded convolutions and their activations, and nothing else."""
        return self.padded and self.bias and self.norms == "none" and not self.projected

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Of each convolution the frames that make its first state, and those to each further."""
        firsts = (1,) * len(self.kernels) if self.padded else self.kernels
        return tuple(zip(firsts, self.strides, strict=True))

    def states(self, frames: int) -> int:
        """How many states come of so many frames."""
        for first, stride in self.steps:
            frames = max((frames - first) // stride + 1, 0)
        return frames

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""
        return 1 / self.rate if self.spectrum in ("samples", "even_samples") else 0.01
