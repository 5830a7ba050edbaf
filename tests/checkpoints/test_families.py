"""Settings of others become ours, wholly or not at all."""

import json
from dataclasses import replace

import pytest

from loquent.architecture import ModelConfig, RotaryConfig, StackConfig
from loquent.checkpoints.families import FAMILIES
from loquent.errors import ConfigError

GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 50256,
    "embd_pdrop": 0.1,
    "eos_token_id": 50256,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": 50257,
}
LLAMA_32 = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 128000,
    "eos_token_id": [128001, 128008, 128009],
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "initializer_range": 0.02,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.45.0.dev0",
    "use_cache": True,
    "vocab_size": 128256,
}
SMOLLM2 = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 576,
    "initializer_range": 0.041666666666666664,
    "intermediate_size": 1536,
    "is_llama_config": True,
    "max_position_embeddings": 8192,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "pad_token_id": 2,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_interleaved": False,
    "rope_scaling": None,
    "rope_theta": 100000,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}},
    "transformers_version": "4.42.3",
    "use_cache": True,
    "vocab_size": 49152,
}
MISTRAL_03 = {
    "architectures": ["MistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 14336,
    "max_position_embeddings": 32768,
    "model_type": "mistral",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.42.0.dev0",
    "use_cache": True,
    "vocab_size": 32768,
}
QWEN25 = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_act": "silu",
    "hidden_size": 896,
    "initializer_range": 0.02,
    "intermediate_size": 4864,
    "max_position_embeddings": 32768,
    "max_window_layers": 24,
    "model_type": "qwen2",
    "num_attention_heads": 14,
    "num_hidden_layers": 24,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.40.1",
    "use_cache": True,
    "use_mrope": False,
    "use_sliding_window": False,
    "vocab_size": 151936,
}
PUBLISHED = {"gpt2": GPT2, "llama": LLAMA_32, "smollm2": SMOLLM2} | {
    "mistral": MISTRAL_03,
    "qwen2": QWEN25,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


def read(values: dict) -> ModelConfig:
    return FAMILIES[values["model_type"]].config(values)


def refusal(values: dict) -> str:
    with pytest.raises(ConfigError) as fault:
        read(values)
    return str(fault.value)


@pytest.mark.parametrize("values", PUBLISHED.values(), ids=PUBLISHED)
def test_published_settings_are_read_and_written_back(values: dict) -> None:
    config = read(values)
    family = FAMILIES[values["model_type"]]
    assert family.config(json.loads(json.dumps(family.values(config)))) == config


def test_gpt2_is_read_in_full() -> None:
    assert read(GPT2) == ModelConfig(
        vocabulary=50257,
        tied=True,
        decoder=StackConfig(
            layers=12,
            width=768,
            length=1024,
            heads=12,
            feedforward=3072,
            attention_bias=True,
            output_bias=True,
            feedforward_bias=True,
            activation="gelu_tanh",
            norm_epsilon=1e-5,
            dropout=0.1,
            positions="learned",
        ),
    )


def test_llama_is_read_in_full() -> None:
    assert read(LLAMA_32) == ModelConfig(
        vocabulary=128256,
        tied=True,
        decoder=StackConfig(
            layers=16,
            width=2048,
            length=131072,
            heads=32,
            kv_heads=8,
            head_width=64,
            feedforward=8192,
            activation="silu",
            gated=True,
            norm="rms",
            norm_epsilon=1e-5,
            positions="rotary",
            rotary=RotaryConfig(
                base=500000.0,
                scaling="llama3",
                factor=32.0,
                original_length=8192,
                low_factor=1.0,
                high_factor=4.0,
            ),
        ),
    )


def test_both_spellings_of_rotary_positions_are_one() -> None:
    old = SMOLLM2 | {"rope_scaling": {"type": "linear", "factor": 2}}
    new = {name: value for name, value in SMOLLM2.items() if not name.startswith("rope_")} | {
        "rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 100000}
    }
    assert read(old) == read(new)
    assert "both there and differ" in refusal(
        old | {"rope_parameters": {"rope_type": "linear", "factor": 3}}
    )


@pytest.mark.parametrize(
    ("given", "magnitude"),
    [
        ({}, 1.138629436),
        ({"attention_factor": 1.5}, 1.5),
        ({"mscale": 0.5, "mscale_all_dim": 1.0}, 1.069314718 / 1.138629436),
    ],
)
def test_yarn_magnitude(given: dict, magnitude: float) -> None:
    decoder = read(QWEN25 | {"rope_scaling": YARN | given}).decoder
    assert decoder is not None
    assert decoder.rotary.magnitude == pytest.approx(magnitude, rel=1e-8)
    assert (decoder.rotary.factor, decoder.rotary.original_length) == (4.0, 32768)
    family = FAMILIES["qwen2"]
    written = family.values(read(QWEN25 | {"rope_scaling": YARN | given}))
    assert family.config(json.loads(json.dumps(written))).decoder == decoder


CHANGES = [
    (GPT2, {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
    (GPT2, {"add_cross_attention": True}, "add_cross_attention"),
    (GPT2, {"is_encoder_decoder": True}, "is_encoder_decoder"),
    (GPT2, {"pruned_heads": {"0": [1]}}, "pruned_heads"),
    (GPT2, {"activation_function": "quick_gelu"}, "activation_function"),
    (GPT2, {"n_embed": 700}, "'n_embed' is not known, so it may change the network. Did you mean"),
    (GPT2, {"auto_map": {"AutoModel": "x.Y"}}, "auto_map"),
    (GPT2, {"multi_query": True}, "multi_query"),
    (GPT2, {"tie_word_embeddings": "yes"}, "tie_word_embeddings must be true or false"),
    (SMOLLM2, {"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
    (SMOLLM2, {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    (SMOLLM2, {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_scaling.type"),
    (SMOLLM2, {"rope_scaling": {"type": "linear"}}, "rope_scaling.factor is missing"),
    (SMOLLM2, {"rope_scaling": {"type": "linear", "factor": 0.5}}, "rope_scaling.factor"),
    (SMOLLM2, {"rope_scaling": {"type": "linear", "factor": 2, "x": 1}}, "'rope_scaling.x'"),
    (SMOLLM2, {"rope_scaling": "linear"}, "rope_scaling must be a table"),
    (LLAMA_32, {"rope_scaling": LLAMA_32["rope_scaling"] | {"high_freq_factor": 1}}, "high_freq"),
    (SMOLLM2, {"rope_interleaved": True}, "rope_interleaved"),
    (SMOLLM2, {"sliding_window": 100, "use_sliding_window": True}, "sliding_window"),
    (SMOLLM2, {"embedding_multiplier": 12.0}, "embedding_multiplier"),
    (SMOLLM2, {"num_local_experts": 8}, "num_local_experts"),
    (MISTRAL_03, {"sliding_window": 4096}, "sliding_window"),
    (MISTRAL_03, {"attention_bias": True}, "attention_bias"),
    (QWEN25, {"use_sliding_window": True, "sliding_window": 1024}, "sliding_window"),
    (QWEN25, {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
    (QWEN25, {"rope_scaling": YARN | {"truncate": False}}, "truncate"),
    (QWEN25, {"use_mrope": True}, "use_mrope"),
]


@pytest.mark.parametrize(("values", "change", "named"), CHANGES)
def test_what_changes_the_mathematics_is_refused_by_name(
    values: dict, change: dict, named: str
) -> None:
    read(values)
    assert named in refusal(values | change)


INERT = [
    (GPT2, {"reorder_and_upcast_attn": True}),
    (GPT2, {"scale_attn_weights": True, "add_cross_attention": False, "pruned_heads": {}}),
    (SMOLLM2, {"pretraining_tp": 4, "unsloth_version": "2024.9", "temperature": 0.5}),
    (MISTRAL_03, {"sliding_window": 32768, "mlp_bias": False}),
    (QWEN25, {"layer_types": ["full_attention"] * 24, "sliding_window": 10}),
]


@pytest.mark.parametrize(("values", "change"), INERT)
def test_what_leaves_the_mathematics_alone_is_passed(values: dict, change: dict) -> None:
    assert read(values | change) == read(values)


def test_silence_means_what_it_means_to_transformers() -> None:
    silent = {name: value for name, value in MISTRAL_03.items() if name != "sliding_window"}
    assert "sliding_window 4096" in refusal(silent)
    few = {name: GPT2[name] for name in ("model_type", "n_embd", "n_head", "n_layer")}
    assert read(few | {"n_positions": 1024, "vocab_size": 50257}) == read(GPT2)


def test_attention_without_scale() -> None:
    decoder = read(GPT2 | {"scale_attn_weights": False}).decoder
    assert decoder is not None
    assert decoder.scale == 1.0


@pytest.mark.parametrize("name", ["n_embd", "n_layer", "n_head", "n_positions", "vocab_size"])
@pytest.mark.parametrize("value", [-1, 0, 10**9, 2**70, 1.5, 1e9, "12", True, [1], float("nan")])
def test_sizes_out_of_bounds_are_refused_by_name(name: str, value: object) -> None:
    assert name in refusal(GPT2 | {name: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-5, "small", True])
def test_numbers_out_of_bounds_are_refused_by_name(value: object) -> None:
    assert "rms_norm_eps" in refusal(SMOLLM2 | {"rms_norm_eps": value})
    assert "rope_theta" in refusal(SMOLLM2 | {"rope_theta": value})


def test_all_faults_are_told_at_once() -> None:
    told = refusal(
        GPT2 | {"n_embd": -1, "n_layer": "x", "resid_pdrop": 7, "n_inner": 2.0, "new": 1}
    )
    assert all(
        name in told for name in ("5 faults", "n_embd", "n_layer", "resid_", "n_inner", "new")
    )


def test_heads_must_divide() -> None:
    assert "heads" in refusal(GPT2 | {"n_head": 7})
    assert "heads" in refusal(SMOLLM2 | {"num_key_value_heads": 2})


def test_a_family_tells_of_networks_that_it_cannot_express() -> None:
    config = read(GPT2)
    assert config.decoder is not None
    post = replace(config, decoder=replace(config.decoder, norm_place="post"))
    family = FAMILIES["gpt2"]
    assert family.config(family.values(post)) != post


def test_networks_of_no_other_family_are_written_in_our_own_spelling() -> None:
    stack = StackConfig(layers=2, width=8, length=9, positions="sinusoidal", norm_place="post")
    config = ModelConfig(
        vocabulary=5, encoder=replace(stack, causal=False), decoder=replace(stack, cross=True)
    )
    own = FAMILIES["loquent"]
    written = json.loads(json.dumps(own.values(config) | {"model_type": "loquent"}))
    assert read(written) == config
    assert "Did you mean 'layers'" in refusal(written | {"decoder": {"layer": 3}})
    deep = written["decoder"] | {"layers": 10**9}
    assert "layers must be at most 4096" in refusal(written | {"decoder": deep})
