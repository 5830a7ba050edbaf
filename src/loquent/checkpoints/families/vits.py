"""VITS (Kim et al. 2021) as Hugging Face's folders spell it: its settings, and names of weights."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loquent.checkpoints.families.keys import ACTIVATIONS, FEEDFORWARD, HEADS, LAYERS, WIDTH, Keys
from loquent.errors import ConfigError

_MOST = 64  # of small counts: flows, kernels, rates


@dataclass(frozen=True, kw_only=True)
class VitsSettings:
    """What a network of this family is like."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    window: int  # how many places before and behind have a vector of their own in attention
    feedforward: int
    feedforward_kernel: int
    activation: str
    epsilon: float  # of the norms of the text's encoder
    flow_width: int
    flows: int
    flow_layers: int
    flow_dilation: int  # a layer's is this to the power of its number
    rates: tuple[int, ...]  # how many times longer each stage makes the wave
    rate_kernels: tuple[int, ...]
    channels: int  # of the first stage; each has half of the one before
    kernels: tuple[int, ...]
    dilations: tuple[tuple[int, ...], ...]
    slope: float  # of LeakyReLU
    stochastic: bool  # whether durations are drawn by flows, or told by two convolutions
    duration_kernel: int
    duration_flows: int
    duration_layers: int
    bins: int  # of the splines that make durations
    bound: float  # outside of which a spline changes nothing
    speakers: int
    speed: float
    noise: float
    duration_noise: float
    rate: int  # samples per second

    @property
    def samples(self) -> int:
        """Of a frame."""
        made = 1
        for each in self.rates:
            made *= each
        return made


_INERT = {
    "activation_dropout", "attention_dropout", "depth_separable_channels",
    "duration_predictor_dropout", "duration_predictor_filter_channels", "hidden_dropout",
    "layerdrop", "posterior_encoder_num_wavenet_layers", "speaker_embedding_size",
    "spectrogram_bins", "wavenet_dropout", "wavenet_kernel_size", "use_bias",
}  # fmt: skip


def vits_settings(values: Mapping[str, Any]) -> VitsSettings:
    """The settings of config.json; raises ConfigError with all that is missing or not executed."""
    keys = Keys(values)
    keys.expect("model_type", ["vits"], "this is another family.")
    keys.expect("depth_separable_channels", [2, None], "durations have two channels.")
    names = {
        "vocabulary": ("vocab_size", WIDTH, 38), "width": ("hidden_size", WIDTH, 192),
        "layers": ("num_hidden_layers", LAYERS, 6), "heads": ("num_attention_heads", HEADS, 2),
        "window": ("window_size", WIDTH, 4), "feedforward": ("ffn_dim", FEEDFORWARD, 768),
        "feedforward_kernel": ("ffn_kernel_size", _MOST, 3),
        "flow_width": ("flow_size", WIDTH, 192), "flows": ("prior_encoder_num_flows", _MOST, 4),
        "flow_layers": ("prior_encoder_num_wavenet_layers", _MOST, 4),
        "flow_dilation": ("wavenet_dilation_rate", _MOST, 1),
        "channels": ("upsample_initial_channel", WIDTH, 512),
        "duration_kernel": ("duration_predictor_kernel_size", _MOST, 3),
        "duration_flows": ("duration_predictor_num_flows", _MOST, 4),
        "duration_layers": ("depth_separable_num_layers", _MOST, 3),
        "bins": ("duration_predictor_flow_bins", 512, 10),
        "speakers": ("num_speakers", WIDTH, 1), "rate": ("sampling_rate", 768_000, 16_000),
    }  # fmt: skip
    made: dict[str, Any] = {
        ours: keys.whole(theirs, most, usual) for ours, (theirs, most, usual) in names.items()
    }
    made |= {
        "epsilon": keys.number("layer_norm_eps", 1e-5, most=1),
        "slope": keys.number("leaky_relu_slope", 0.1, most=1),
        "bound": keys.number("duration_predictor_tail_bound", 5.0, 1e-3, 1e3),
        "speed": keys.number("speaking_rate", 1.0, 1e-2, 1e2),
        "noise": keys.number("noise_scale", 0.667, most=100),
        "duration_noise": keys.number("noise_scale_duration", 0.8, most=100),
        "activation": keys.choice("hidden_act", ACTIVATIONS, "relu"),
    }
    made["stochastic"] = keys.flag("use_stochastic_duration_prediction", True)
    made |= _stages(keys)
    keys.finish(_INERT, encoded=True)
    settings = VitsSettings(**made)
    _check(settings)
    return settings


def _stages(keys: Keys) -> dict[str, Any]:
    """The stages that make the wave: whole numbers in lists."""
    usual = {
        "rates": ("upsample_rates", [8, 8, 2, 2]),
        "rate_kernels": ("upsample_kernel_sizes", [16, 16, 4, 4]),
        "kernels": ("resblock_kernel_sizes", [3, 7, 11]),
    }  # fmt: skip
    made: dict[str, Any] = {}
    for ours, (theirs, default) in usual.items():
        made[ours] = _wholes(theirs, keys.raw(theirs) or default)
    dilations = keys.raw("resblock_dilation_sizes") or [[1, 3, 5]] * 3
    if not isinstance(dilations, list):
        raise ConfigError("resblock_dilation_sizes is no list.")
    made["dilations"] = tuple(_wholes("resblock_dilation_sizes", each) for each in dilations)
    return made


def _wholes(name: str, value: Any) -> tuple[int, ...]:
    fits = isinstance(value, list) and 0 < len(value) <= _MOST
    if not fits or not all(type(each) is int and 0 < each <= 4096 for each in value):
        raise ConfigError(f"{name} is {value!r:.60}, not a list of whole numbers.")
    return tuple(value)


def _check(settings: VitsSettings) -> None:
    """What must fit together."""
    stages = len(settings.rates)
    for wrong, what in (
        (settings.width % max(settings.heads, 1) != 0, "hidden_size is no multiple of the heads."),
        (settings.flow_width % 2 != 0, "flow_size is odd."),
        (len(settings.rate_kernels) != stages, "upsample_kernel_sizes and upsample_rates differ."),
        (len(settings.dilations) != len(settings.kernels), "resblock sizes and dilations differ."),
        (settings.channels % 2**stages != 0, "upsample_initial_channel cannot be halved so often."),
        (settings.bins > 999 or settings.bins < 1, "duration_predictor_flow_bins is too large."),
        (settings.speakers != 1, "more than one speaker is not executed."),
    ):
        if wrong:
            raise ConfigError(what)


_MAPS = {"q": "query", "k": "key", "v": "value", "out": "output"}
# How a foreign name becomes ours, part by part, in this order.
_NAMES = (
    (r"^text_encoder\.embed_tokens\.", "text.embedding."),
    (r"^text_encoder\.encoder\.layers\.", "text.layers."),
    (r"^text_encoder\.project\.", "text.output."),
    *((rf"\.attention\.{theirs}_proj\.", f".attention.{ours}.") for theirs, ours in _MAPS.items()),
    (r"\.attention\.emb_rel_k$", ".attention.relative_key.weight"),
    (r"\.attention\.emb_rel_v$", ".attention.relative_value.weight"),
    (r"(text\.layers\.\d+)\.layer_norm\.", r"\1.attention_norm."),
    (r"(text\.layers\.\d+)\.final_layer_norm\.", r"\1.feedforward_norm."),
    (r"\.feed_forward\.conv_1\.", ".feedforward.up."),
    (r"\.feed_forward\.conv_2\.", ".feedforward.down."),
    (r"^duration_predictor\.", "durations."),
    (r"\.conv_dds\.", ".separable."),
    (r"\.convs_dilated\.", ".deep."),
    (r"\.convs_pointwise\.", ".point."),
    (r"\.norms_1\.", ".deep_norm."),
    (r"\.norms_2\.", ".point_norm."),
    (r"\.(conv_pre)\.", ".input."),
    (r"\.(conv_proj|conv_post|proj)\.", ".output."),
    (r"\.translate$", ".shift.weight"),
    (r"\.log_scale$", ".scale.weight"),
    (r"^durations\.conv_([12])\.", r"durations.convolutions.\1."),
    (r"^durations\.norm_([12])\.", r"durations.norms.\1."),
    (r"\.wavenet\.in_layers\.", ".gates."),
    (r"\.wavenet\.res_skip_layers\.", ".steps."),
    (r"^flow\.flows\.", "flow."),
    (r"^decoder\.", "wave."),
    (r"^wave\.upsampler\.", "wave.longer."),
    (r"^wave\.resblocks\.", "wave.blocks."),
    (r"\.convs1\.", ".first."),
    (r"\.convs2\.", ".second."),
    (r"\.parametrizations\.weight\.original0$", ".weight.size"),
    (r"\.parametrizations\.weight\.original1$", ".weight.direction"),
    (r"\.weight_g$", ".weight.size"),
    (r"\.weight_v$", ".weight.direction"),
)  # fmt: skip
# Weights that are of use in training only.
_TRAINING = ("posterior_encoder.", "duration_predictor.post_")


def vits_name(foreign: str) -> str:
    """Our name of a weight; "" for one that only training uses."""
    if foreign.startswith(_TRAINING):
        return ""
    made = foreign
    for pattern, ours in _NAMES:
        made = re.sub(pattern, ours, made)
    return made
