"""From states of phonemes to frames of sound: the part of a voice behind its encoder, in torch."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from loquent.architecture import SpeechConfig
from loquent.audio.voicing import LEVEL, NOISE, SPREAD, envelope_map
from loquent.blocks.dropout import Dropout
from loquent.model.names import PLACES


class Block(nn.Module):
    """Three neighbours side by side, an inner map and back, added to what was read."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(3 * width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """(B, T, W), of which `real` (B, T, 1) is 1 and padding 0 -> (B, T, W)."""
        made = self.down(gelu(self.up(neighbours(self.norm(x) * real))))
        out: Tensor = x + self.dropout(made)
        return out


class Speech(nn.Module):
    """What is told of phonemes, their frames, and the filters of those (SpeechConfig)."""

    def __init__(self, config: SpeechConfig, states: int, dropout: float) -> None:
        super().__init__()
        width = config.width

        def blocks(layers: int, dropout: float) -> nn.ModuleList:
            return nn.ModuleList(Block(width, dropout) for _ in range(layers))

        self.config = config
        self.enter = nn.Linear(states, width)
        self.text = blocks(config.text_layers, dropout)
        self.text_norm = nn.LayerNorm(width)
        # few recordings say little of melodies: what is told of them must not be learned by heart
        self.guess = blocks(config.guess_layers, min(2.5 * dropout, 0.5))
        self.guess_norm = nn.LayerNorm(width)
        self.guesses = nn.Linear(width, 3)
        self.told = nn.Linear(2, width)
        self.place = nn.Linear(PLACES, width)
        self.frame = blocks(config.frame_layers, dropout / 2)
        self.frame_norm = nn.LayerNorm(width)
        self.features = nn.Linear(width, config.features)
        self.heard = nn.Linear(3 * config.features, width)
        self.wave = blocks(config.wave_layers, 0.0)
        self.wave_norm = nn.LayerNorm(width)
        self.spectrum = nn.Linear(width, 2 * config.frequencies)

    def phonemes(self, states: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """States (B, T, D) -> (B, T, W), and guesses (B, T, 3) at ln(1 + frames), pitch, energy."""
        x = self.enter(states)
        for block in self.text:
            x = block(x, real)
        x = self.text_norm(x)
        guess = x
        for block in self.guess:
            guess = block(guess, real)
        return x, self.guesses(self.guess_norm(guess))

    def frames(
        self, x: Tensor, told: Tensor, tokens: Tensor, places: Tensor, real: Tensor
    ) -> Tensor:
        """Features (B, F, bins + 2) of frames that belong to `tokens` (B, F) of x (B, T, W).

        `told` (B, T, 2) are the phonemes' pitch and energy, `places` (B, F, PLACES) tell where in
        its phoneme a frame stands. The last two features are the pitch, and the logit of voice.
        """
        x = x + self.told(told)
        chosen = x.gather(1, tokens[..., None].expand(-1, -1, x.shape[-1]))
        y = chosen + self.place(places)
        for block in self.frame:
            y = block(y, real)
        out: Tensor = self.features(self.frame_norm(y))
        return out

    def filters(self, features: Tensor) -> Tensor:
        """Logarithms (B, F, 2, size / 2 + 1) of how loud pulses and noise are, of features.

        The last feature is 1 where a frame is voiced. They are differences from the mel envelope.
        """
        config = self.config
        x = self.heard(neighbours(features))
        real = torch.ones_like(x[..., :1])
        for block in self.wave:
            x = block(x, real)
        made = self.spectrum(self.wave_norm(x)).unflatten(-1, (2, -1))
        mel = features[..., : config.bins] * SPREAD + LEVEL
        envelope = (
            mel @ torch.from_numpy(envelope_map(config.bins, config.rate, config.size)).to(mel).t()
        )
        bases = torch.stack([envelope - math.log(config.size / 4), envelope - NOISE], -2)
        out: Tensor = made + bases
        return out


def neighbours(x: Tensor) -> Tensor:
    """The one before, itself and the one behind, (B, T, W) -> (B, T, 3 W); zeros at the ends."""
    wide = pad(x, (0, 0, 1, 1))
    return torch.cat([wide[:, :-2], x, wide[:, 2:]], -1)
