"""What makes sound of the states of a text."""

from dataclasses import dataclass

from loquent.architecture.checks import check


@dataclass(frozen=True, kw_only=True)
class SpeechConfig:
    """Durations, pitch and energy of phonemes (Ren et al. 2021), frames, and a filter of each.

    All layers are one block: three neighbours side by side, an inner map, and back.
    """

    rate: int = 16_000  # samples of a second
    hop: int = 256  # samples from one frame to the next
    size: int = 1024  # samples of a frame
    bins: int = 80  # mel bands of a frame
    width: int = 192
    text_layers: int = 2  # behind the encoder
    guess_layers: int = 2  # of what is told of a phoneme
    frame_layers: int = 6  # from phonemes to mel bands and pitch
    wave_layers: int = 4  # from mel bands and pitch to a spectrum

    def __post_init__(self) -> None:
        """Refuse impossible values, all at once."""
        layers = (self.text_layers, self.guess_layers, self.frame_layers, self.wave_layers)
        check(
            (8000 <= self.rate <= 48_000, f"a voice's rate is 8,000 to 48,000, not {self.rate}."),
            (
                self.hop >= 1 and self.size % (4 * self.hop) == 0,
                f"size {self.size} of a voice's frames must be 4, 8, … times hop {self.hop}.",
            ),
            (2 <= self.bins <= self.size // 4, f"{self.bins} bins do not fit frames so short."),
            (self.width >= 1, f"width of a voice must be at least 1, not {self.width}."),
            (min(layers) >= 1, "each part of a voice has at least one layer."),
        )

    @property
    def features(self) -> int:
        """Values of a frame: mel bands, the pitch, and whether it is voiced."""
        return self.bins + 2

    @property
    def frequencies(self) -> int:
        """Of a spectrum."""
        return self.size // 2 + 1
