"""What a voice learns: durations, pitch and energy of phonemes, their frames, and a vocoder.

A batch has phonemes as `ids`, samples (B, 1, N) as `source`, and as `labels` of each row the frames
of its phonemes and behind them the pitch of its frames (`audio/voicing.py`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from loquent.architecture import SpeechConfig
from loquent.audio.voicing import FLOOR, LEVEL, SPREAD, hertz_of, mel_map, pitch_values, placed
from loquent.model.model import Model
from loquent.training.tensors import TensorBatch
from loquent.voices.waves import Frames, pulses

CROP = 40  # frames of each row that the vocoder makes a wave of
_WINDOWS = (256, 512, 1024, 2048)  # samples, at which waves are compared
_UNSURE = (0.4, 0.2)  # by which pitch and energy of phonemes deviate while frames are learned, as
# what is guessed of them later will
_GUESSES, _PITCH, _VOICED, _WAVE = 0.2, 0.2, 0.1, 0.2  # how much each counts beside mel bands


@dataclass(frozen=True)
class Spoken:
    """What the rows of a batch really sound like; B rows, T phonemes, F frames."""

    real: Tensor  # (B, T, 1) 1 for phonemes
    frames: Tensor  # (B, F, 1) 1 for frames
    durations: Tensor  # (B, T)
    tokens: Tensor  # (B, F) the phoneme of each frame
    places: Tensor  # (B, F, 5) where it stands in it
    mel: Tensor  # (B, F, bins)
    pitch: Tensor  # (B, F)
    voiced: Tensor  # (B, F) 0 or 1
    told: Tensor  # (B, T, 2) mean pitch and energy of each phoneme


def speech_loss(model: Model, batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """The sum over frames of all that is learned, and how many frames there are."""
    spoken = spoken_of(batch, _config(model))
    frames = spoken.frames.sum((1, 2))
    rows = acoustic(model, batch, spoken) + _WAVE * wave_loss(model, batch, spoken) * frames
    return rows.sum(dtype=torch.float64), frames.sum().long()


def acoustic(model: Model, batch: TensorBatch, spoken: Spoken) -> Tensor:
    """Of each row (B,) the sum over its frames of all but the wave."""
    speech = model.speech
    assert speech is not None
    states = model.encode(batch.ids, batch.lengths)
    x, guesses = speech.phonemes(states, spoken.real)
    told = spoken.told
    if model.training:
        told = told + torch.randn_like(told) * torch.tensor(_UNSURE, device=told.device)
    made = speech.frames(x, told, spoken.tokens, spoken.places, spoken.frames)
    bins = speech.config.bins
    wanted = torch.cat([torch.log1p(spoken.durations)[..., None], spoken.told], -1)
    wrong = smooth_l1_loss(guesses, wanted, reduction="none")
    sounding = (spoken.durations > 0)[..., None]
    each = torch.cat([torch.ones_like(sounding), sounding, sounding], -1) * spoken.real
    per_token = (wrong * each).sum((1, 2)) / spoken.real.sum((1, 2))
    frames = spoken.frames[..., 0]
    mel = (made[..., :bins] - spoken.mel).abs().mean(-1)
    pitch = (made[..., bins] - spoken.pitch).abs() * (0.1 + 0.9 * spoken.voiced)
    voiced = binary_cross_entropy_with_logits(made[..., bins + 1], spoken.voiced, reduction="none")
    per_frame = (mel + _PITCH * pitch + _VOICED * voiced) * frames
    return per_frame.sum(1) + _GUESSES * per_token * frames.sum(1)


def wave_loss(model: Model, batch: TensorBatch, spoken: Spoken) -> Tensor:
    """How far (B,) the vocoder's waves of crops of real features are from the recordings.

    Magnitudes of several windows, their differences beside their sizes and those of logarithms
    (Yamamoto et al. 2020, §2.2), of pulses and noise that are filtered frame by frame (Engel et al.
    2020, §3). Where the crops lie is drawn while the model learns.
    """
    speech = model.speech
    assert speech is not None
    assert batch.source is not None
    config = speech.config
    counts = spoken.frames.sum((1, 2)).long()
    crop = min(CROP, int(counts.min()))
    chance = torch.rand(len(counts)) if model.training else torch.full((len(counts),), 0.5)
    starts = (chance.to(counts.device) * (counts - crop + 1)).long()
    near = starts[:, None] + torch.arange(crop, device=starts.device)
    features = torch.cat([spoken.mel, spoken.pitch[..., None], spoken.voiced[..., None]], -1)
    features = features.gather(1, near[..., None].expand(-1, -1, features.shape[-1]))
    made = filtered(speech.filters(features), features[..., config.bins], config)
    length = made.shape[1]
    places = starts[:, None] * config.hop + torch.arange(length, device=starts.device)
    return _unlike(made, batch.source[:, 0].gather(1, places))


def filtered(filters: Tensor, pitch: Tensor, config: SpeechConfig) -> Tensor:
    """The waves (B, (F - 1) · hop) of filters (B, F, 2, size / 2 + 1) for pulses at a pitch (B, F)
    and for noise; the noise is torch's.
    """
    frames = Frames(config.size, config.hop, config.rate)
    hertz = hertz_of(pitch.detach().cpu().float().numpy())
    excited = np.stack([frames.spectrum(pulses(each, frames), len(each)) for each in hertz])
    source = torch.from_numpy(excited / (config.size / 4)).to(filters.device)
    loud = filters.float().clamp(max=7.0).exp()
    noise = torch.randn(*source.shape, 2, device=filters.device)
    spectrum = source * loud[:, :, 0] + torch.view_as_complex(noise) * loud[:, :, 1]
    window = torch.hann_window(config.size, device=filters.device)
    return torch.istft(
        spectrum.transpose(1, 2), config.size, config.hop, window=window, center=True
    )


def _unlike(made: Tensor, real: Tensor) -> Tensor:
    total = torch.zeros(len(made), device=made.device)
    for size in _WINDOWS:
        one, other = magnitudes(made, size, size // 4), magnitudes(real, size, size // 4)
        norms = [torch.linalg.vector_norm(each, dim=(1, 2)) for each in (one - other, other)]
        logarithms = ((one + 1e-4).log() - (other + 1e-4).log()).abs().mean((1, 2))
        total = total + norms[0] / norms[1].clamp(1e-2) + logarithms
    return total / len(_WINDOWS)


def magnitudes(waves: Tensor, size: int, hop: int) -> Tensor:
    """Of windows around every hop-th sample of (B, N): (B, size / 2 + 1, 1 + N // hop)."""
    window = torch.hann_window(size, device=waves.device)
    found = torch.stft(
        waves, size, hop, window=window, center=True, pad_mode="constant", return_complex=True
    )
    return (found.real.square() + found.imag.square() + 1e-12).sqrt()


def spoken_of(batch: TensorBatch, config: SpeechConfig) -> Spoken:
    """What a batch says of itself."""
    assert batch.source is not None
    assert batch.labels is not None
    samples, labels = batch.source[:, 0].float(), batch.labels.cpu().numpy()
    device, rows = samples.device, len(labels)
    lengths = _counts(batch.lengths, batch.ids)
    counts = _counts(batch.source_lengths, batch.source) // config.hop
    shape = (rows, int(counts.max()))
    durations = np.zeros((rows, batch.ids.shape[1]), np.int64)
    tokens, values = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    places = np.zeros((*shape, 5), np.float32)
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        durations[row, :length] = np.maximum(labels[row, :length], 0)
        found, where = placed(durations[row, :length])
        tokens[row, : len(found)], places[row, : len(found)] = found, where
        values[row, :count] = labels[row, length : length + count]
    frames = (np.arange(shape[1]) < counts[:, None]).astype(np.float32)
    real = (np.arange(durations.shape[1]) < lengths[:, None]).astype(np.float32)
    pitch, voiced = pitch_values(values)
    mel = _mel(samples, config)[:, : shape[1]]
    made = Spoken(
        real=torch.from_numpy(real)[..., None].to(device),
        frames=torch.from_numpy(frames)[..., None].to(device),
        durations=torch.from_numpy(durations).to(device),
        tokens=torch.from_numpy(tokens).to(device),
        places=torch.from_numpy(places).to(device),
        mel=mel,
        pitch=torch.from_numpy(pitch * frames).to(device),
        voiced=torch.from_numpy(voiced * frames).to(device),
        told=torch.zeros(0, device=device),
    )
    return _with_means(made)


def _with_means(spoken: Spoken) -> Spoken:
    """The same with the mean pitch and energy of each phoneme; 0 where it has no frames."""
    values = torch.stack([spoken.pitch, spoken.mel.mean(-1)], -1) * spoken.frames
    sums = torch.zeros(*spoken.durations.shape, 2, device=values.device)
    sums.scatter_add_(1, spoken.tokens[..., None].expand(-1, -1, 2), values)
    told = sums / spoken.durations.clamp(min=1)[..., None]
    fields = {name: getattr(spoken, name) for name in Spoken.__dataclass_fields__}
    return Spoken(**{**fields, "told": told})


def _mel(samples: Tensor, config: SpeechConfig) -> Tensor:
    """(B, F + 1, bins) of samples (B, N)."""
    with torch.autocast(samples.device.type, enabled=False):
        found = magnitudes(samples, config.size, config.hop)
        table = torch.from_numpy(mel_map(config.bins, config.rate, config.size)).to(samples)
        mel = (table @ found).clamp(min=FLOOR).log().transpose(1, 2)
    return (mel - LEVEL) / SPREAD


def _counts(lengths: Tensor | None, values: Tensor) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if lengths is None:
        return np.full(len(values), values.shape[-1], np.int64)
    return np.asarray(lengths.cpu().numpy(), np.int64)


def _config(model: Model) -> SpeechConfig:
    assert model.config.speech is not None
    return model.config.speech


def speech_scores(model: Model, batch: TensorBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row (B,) what is wrong with its frames, how many they are, and no hits."""
    spoken = spoken_of(batch, _config(model))
    rows = acoustic(model, batch, spoken)
    counts = spoken.frames.sum((1, 2)).long()
    return rows, counts, torch.zeros_like(counts)
