"""wav2vec 2.0 (Baevski et al. 2020) and HuBERT (Hsu et al. 2021), tuned to tell letters (CTC)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import FrontConfig, FrontNorms, ModelConfig, StackConfig
from loquent.checkpoints.families.family import (
    Family,
    HeadForm,
    Ignored,
    Rule,
    Tensors,
    pairs,
)
from loquent.checkpoints.families.keys import (
    ACTIVATIONS,
    FEEDFORWARD,
    HEADS,
    LAYERS,
    LENGTH,
    VOCABULARY,
    WIDTH,
    Keys,
)
from loquent.errors import ConfigError

# Training, pretraining and other heads.
_INERT = {
    "activation_dropout", "adapter_kernel_size", "adapter_stride", "apply_spec_augment",
    "attention_dropout", "classifier_proj_size", "codevector_dim",
    "contrastive_logits_temperature", "conv_pos_kernel_size", "ctc_loss_reduction",
    "ctc_zero_infinity", "diversity_loss_weight", "feat_proj_dropout", "feat_quantizer_dropout",
    "feat_extract_dropout", "final_dropout", "freeze_feat_extract_train", "layerdrop",
    "mask_channel_length",
    "mask_channel_min_space", "mask_channel_other", "mask_channel_prob",
    "mask_channel_selection", "mask_feature_length", "mask_feature_min_masks",
    "mask_feature_prob", "mask_time_length", "mask_time_min_masks", "mask_time_min_space",
    "mask_time_other", "mask_time_prob", "mask_time_selection", "no_mask_channel_overlap",
    "no_mask_time_overlap", "num_adapter_layers", "num_codevector_groups",
    "num_codevectors_per_group", "num_ctc_classes", "num_feat_extract_layers", "num_negatives",
    "output_hidden_size", "proj_codevector_dim", "tdnn_dilation", "tdnn_dim", "tdnn_kernel",
    "tokenizer_type", "use_weighted_layer_sum", "xvector_output_dim",
}  # fmt: skip
_NORMS: Mapping[str, FrontNorms] = {"group": "first", "layer": "all"}
_KERNELS, _STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
_CTC = "ForCTC"
_POSITIONS = "encoder.pos_conv_embed.conv"
# How files spell length and direction of the positions' convolution (Salimans and Kingma 2016).
_NORMED = (("weight_g", "weight_v"),
           ("parametrizations.weight.original0", "parametrizations.weight.original1"))  # fmt: skip
_TRAINING = Ignored("it belongs to the training")


def _config(values: Mapping[str, Any]) -> ModelConfig:
    keys = Keys(values)
    named = keys.raw("architectures")
    if not (isinstance(named, list) and any(str(each).endswith(_CTC) for each in named)):
        keys.refuse("the network has no head that tells letters (ForCTC).")
    keys.expect("add_adapter", [False], "adapters are not executed here.")
    keys.expect("adapter_attn_dim", [], "adapters for each language are not executed here.")
    keys.expect("conv_pos_batch_norm", [False], "a batch norm of positions is not executed here.")
    width = keys.whole("hidden_size", WIDTH, 768)
    stable = keys.flag("do_stable_layer_norm", False)
    stack: dict[str, Any] = {
        "layers": keys.whole("num_hidden_layers", LAYERS, 12),
        "width": width,
        "length": 0,
        "causal": False,
        "heads": keys.whole("num_attention_heads", HEADS, 12),
        "attention_bias": True,
        "output_bias": True,
        "feedforward": keys.whole("intermediate_size", FEEDFORWARD, 3072),
        "feedforward_bias": True,
        "activation": keys.choice("hidden_act", ACTIVATIONS, "gelu"),
        "norm_epsilon": keys.number("layer_norm_eps", 1e-5),
        "norm_place": "pre" if stable else "post",
        "embedding_norm": not stable,
        "final_norm": stable,
        "positions": "convolution",
        "position_kernel": keys.whole("num_conv_pos_embeddings", LENGTH, 128),
        "position_groups": keys.whole("num_conv_pos_embedding_groups", WIDTH, 16),
        "dropout": keys.number("hidden_dropout", 0.1, most=0.99),
    }
    front = _front(keys)
    vocabulary = keys.whole("vocab_size", VOCABULARY, 32)
    blank = keys.whole("pad_token_id", VOCABULARY, 0, least=0)
    keys.finish(_INERT)
    return ModelConfig(
        vocabulary=vocabulary,
        encoder=StackConfig(**stack, front=FrontConfig(**front)),
        tied=False,
        head_bias=True,
        output="ctc",
        blank=blank,
    )


def _front(keys: Keys) -> dict[str, Any]:
    sizes = {}
    for name, usual in (("conv_dim", (512,) * 7), ("conv_kernel", _KERNELS),
                        ("conv_stride", _STRIDES)):  # fmt: skip
        value = keys.raw(name)
        sizes[name] = tuple(value) if isinstance(value, list | tuple) else usual
        if not sizes[name] or not all(
            type(each) is int and 0 < each <= WIDTH for each in sizes[name]
        ):
            keys.refuse(f"{name} must be a list of whole numbers from 1.")
            sizes[name] = usual
    if len(set(sizes["conv_dim"])) > 1:
        keys.refuse("conv_dim differs from convolution to convolution.")
    if len({len(each) for each in sizes.values()}) > 1:
        keys.refuse("conv_dim, conv_kernel and conv_stride are not of one length.")
    normed = keys.flag("do_normalize", True)  # of preprocessor_config.json
    return {
        "features": 1,
        "kernels": sizes["conv_kernel"],
        "strides": sizes["conv_stride"],
        "activation": keys.choice("feat_extract_activation", ACTIVATIONS, "gelu"),
        "spectrum": "even_samples" if normed else "samples",
        "rate": keys.whole("sampling_rate", 1 << 20, 16_000, least=1000),
        "width": sizes["conv_dim"][0],
        "padded": False,
        "bias": keys.flag("conv_bias", False),
        "norms": keys.choice("feat_extract_norm", _NORMS, "group"),
        "projected": True,
        "projection_norm": keys.flag("feat_proj_layer_norm", True),
    }


def _values(_config: ModelConfig) -> dict[str, Any]:
    raise ConfigError(
        "networks of this family are read, not written.", fix="Save it under the family 'loquent'."
    )


def _varying(prefix: str, config: ModelConfig) -> dict[str, Rule]:
    """The names of the convolutions, and of the norm behind the first or the last layer."""
    assert config.encoder is not None
    assert config.encoder.front is not None
    last = "norm" if config.encoder.final_norm else "embedding_norm"
    convolutions = {}
    for index in range(len(config.encoder.front.kernels)):
        theirs = f"{prefix}feature_extractor.conv_layers.{index}"
        convolutions[f"{theirs}.conv"] = f"encoder.front.{index}"
        convolutions[f"{theirs}.layer_norm"] = f"encoder.front.norms.{index}"
    return pairs({f"{prefix}encoder.layer_norm": f"encoder.{last}", **convolutions})


def _rules(prefix: str) -> Mapping[str, Rule]:
    theirs, ours = f"{prefix}encoder.layers.N", "encoder.layers.N"
    names = {
        f"{prefix}feature_projection.layer_norm": "encoder.front.projection_norm",
        f"{prefix}feature_projection.projection": "encoder.front.projection",
        f"{prefix}{_POSITIONS}": "encoder.position_convolution",
        f"{theirs}.layer_norm": f"{ours}.attention_norm",
        f"{theirs}.feed_forward.intermediate_dense": f"{ours}.feedforward.up",
        f"{theirs}.feed_forward.output_dense": f"{ours}.feedforward.down",
        f"{theirs}.final_layer_norm": f"{ours}.feedforward_norm",
    }
    for each, own in (("q", "query"), ("k", "key"), ("v", "value"), ("out", "output")):
        names[f"{theirs}.attention.{each}_proj"] = f"{ours}.attention.{own}"
    return {**pairs(names), f"{prefix}masked_spec_embed": _TRAINING}


class _Joined:
    """The tensors of a file, with the convolution of positions as one of them."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._parts: dict[str, tuple[str, str]] = {}
        for name in tensors:
            for length, direction in _NORMED:
                base = name.removesuffix(f".{direction}")
                if base.endswith(_POSITIONS) and f"{base}.{length}" in tensors and base != name:
                    self._parts[f"{base}.weight"] = (f"{base}.{length}", name)
        self._inner = {part for each in self._parts.values() for part in each}

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._tensors if name not in self._inner)
        yield from self._parts

    def __contains__(self, name: object) -> bool:
        return name in self._parts or (name in self._tensors and name not in self._inner)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A weight; g · v / |v|, where |v| is that of each place of the window."""
        if name not in self._parts:
            return self._tensors[name]
        length, direction = (self._tensors[each] for each in self._parts[name])
        wide = direction if direction.dtype == np.float64 else direction.astype(np.float32)
        size = np.sqrt(np.square(wide).sum((0, 1), keepdims=True))
        made: NDArray[Any] = length * wide / size
        return made

    def shape(self, name: str) -> tuple[int, ...]:
        return self._tensors.shape(self._parts[name][1] if name in self._parts else name)


def _family(name: str, paper: str, architecture: str) -> Family:
    prefix = f"{name}."
    return Family(
        name=name,
        paper=paper,
        architecture=f"{architecture}{_CTC}",
        config=_config,
        values=_values,
        rules=_rules(prefix),
        prefix=prefix,
        heads={"ctc": HeadForm(f"{architecture}{_CTC}", pairs({"lm_head": "head"}))},
        varying=lambda config: _varying(prefix, config),
        joined=_Joined,
        preprocessed=("do_normalize", "sampling_rate"),
    )


WAV2VEC2 = _family(
    "wav2vec2",
    "Baevski et al. 2020, wav2vec 2.0: Self-Supervised Learning of Speech Representations",
    "Wav2Vec2",
)
HUBERT = _family(
    "hubert",
    "Hsu et al. 2021, HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction",
    "Hubert",
)
