"""Folders and files as others write them open here, and what is saved here opens there."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import tokenizers
from safetensors.numpy import load_file, save_file

import loquent
from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.checkpoint import Card, Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.generation import Generation
from loquent.errors import CheckpointError, ConfigError, UserError
from loquent.model.names import shapes

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LLAMA = {
    "vocab_size": 280, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GPT2 = {
    "vocab_size": 280, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192, "rope_theta": 500000.0,
}  # fmt: skip
KINDS = {
    "gpt2": ("GPT2", GPT2),
    "gpt2 untied": ("GPT2", GPT2 | {"tie_word_embeddings": False}),
    "llama": ("Llama", LLAMA),
    "llama tied biases": (
        "Llama",
        LLAMA | {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
    ),
    "llama3": ("Llama", LLAMA | {"rope_parameters": LLAMA3, "head_dim": 32}),
    "mistral": ("Mistral", LLAMA | {"sliding_window": None}),
    "qwen2": ("Qwen2", LLAMA),
}
IDS = [[int(id) for id in np.random.default_rng(0).integers(3, 280, 40)]]


def network(kind: str) -> Any:
    name, settings = KINDS[kind]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**settings)
    model = getattr(transformers, f"{name}{'LMHeadModel' if name == 'GPT2' else 'ForCausalLM'}")
    model = model(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def small_tokenizer() -> Any:
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.train_from_iterator(["once upon a time there was a little model"] * 3, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder as transformers writes it."""

    def make(kind: str = "llama", **options: Any) -> Path:
        path = tmp_path / "theirs"
        network(kind).save_pretrained(path, **options)
        small_tokenizer().save_pretrained(path)
        return path

    return make


def logits(path: Path) -> np.ndarray:
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    with torch.no_grad():
        return model(torch.tensor(IDS)).logits.numpy()


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as fault:
        Checkpoint.open(path)
    return str(fault.value)


def rewrite(path: Path, **changes: Any) -> None:
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(values))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shard", ["5GB", "50KB"])
def test_a_folder_opens_and_is_saved_so_that_transformers_computes_the_same(
    kind: str, shard: str, folder: Callable[..., Path], tmp_path: Path
) -> None:
    source = folder(kind, max_shard_size=shard)
    opened = Checkpoint.open(source)
    assert opened.card.dtype == "F32"
    assert opened.card.name == "theirs"
    assert opened.generation.stop == (2,)
    assert set(opened.weights) == set(shapes(opened.config))
    saved = tmp_path / "ours"
    opened.save(saved, shard_bytes=50_000 if shard == "50KB" else 10**9)
    assert (len(list(saved.glob("*.safetensors"))) > 1) == (shard == "50KB")
    np.testing.assert_array_equal(logits(saved), logits(source))
    again = Checkpoint.open(saved)
    assert len(again.fingerprint) == 64
    assert again.config == opened.config
    assert again.generation == opened.generation
    for name in opened.weights:
        np.testing.assert_array_equal(again.weights[name], opened.weights[name])


def test_the_class_that_a_saved_folder_names_opens_it(folder, tmp_path: Path) -> None:
    Checkpoint.open(folder("gpt2")).save(tmp_path / "ours")
    model = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")
    text = "once upon a time, <s> été 好\n"
    assert tokenizer(text).input_ids == small_tokenizer()(text).input_ids
    ids = Checkpoint.open(tmp_path / "ours").tokenizer
    assert ids is not None
    assert ids.encode(text) == tokenizer(text).input_ids
    assert model.config.eos_token_id == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "theirs"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_read_as_it_stands(dtype: str, folder, tmp_path: Path) -> None:
    source = folder("llama")
    network("llama").to(getattr(torch, dtype)).save_pretrained(source)
    opened = Checkpoint.open(source)
    assert opened.card.dtype == {"float16": "F16", "bfloat16": "BF16"}[dtype]
    opened.save(tmp_path / "ours")
    np.testing.assert_array_equal(logits(tmp_path / "ours"), logits(source))


def test_a_file_beside_its_settings_opens(folder) -> None:
    source = folder("gpt2")
    by_file, by_folder = Checkpoint.open(source / "model.safetensors"), Checkpoint.open(source)
    assert by_file.config == by_folder.config
    assert by_file.fingerprint == by_folder.fingerprint
    whole = (source / "model.safetensors").read_bytes()
    assert by_file.fingerprint == hashlib.sha256(whole).hexdigest()
    (source / "config.json").unlink()
    assert "config.json: is missing" in refusal(source / "model.safetensors")


def test_a_pickled_file_opens_on_request_only(folder, tmp_path: Path) -> None:
    source = folder("gpt2")
    expected = Checkpoint.open(source)
    weights = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    torch.save(tensors, source / "pytorch_model.bin")
    assert "allow_pickle" in refusal(source)
    opened = Checkpoint.open(source, allow_pickle=True)
    for name in expected.weights:
        np.testing.assert_array_equal(opened.weights[name], expected.weights[name])


def test_a_family_that_is_not_executed_opens_through_transformers(tmp_path: Path) -> None:
    config = transformers.GPTNeoXConfig(
        vocab_size=280, hidden_size=16, intermediate_size=24, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    transformers.GPTNeoXForCausalLM(config).save_pretrained(tmp_path / "neox")
    small_tokenizer().save_pretrained(tmp_path / "neox")
    opened = Checkpoint.open(tmp_path / "neox")
    assert opened.card.executor == "transformers"
    assert opened.card.family == "gpt_neox"
    assert opened.config.vocabulary == 280
    assert opened.config.decoder is not None
    assert opened.config.decoder.length == 64
    assert opened.tokenizer is not None
    with pytest.raises(CheckpointError, match="executed by transformers"):
        opened.save(tmp_path / "ours")
    with loquent.open(tmp_path / "neox") as lm:
        answer = lm.generate("once upon a time", temperature=0, max_tokens=20, ignore_end=True)
        ids = torch.tensor([lm.tokenizer.encode("once upon a time")])
        model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "neox")
        made = model.generate(
            ids, max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        assert list(answer.ids) == made[0, ids.shape[1] :].tolist()
    assert "'gpt_neox' are not executed" in refusal(tmp_path / "neox" / "model.safetensors")


def write_gguf(
    path: Path, kind: str, tensors: dict[str, np.ndarray] | None = None, **metadata: Any
) -> None:
    """Write a network as llama.cpp's converter does."""
    model = network(kind)
    name, _ = KINDS[kind]
    family = "gpt2" if name == "GPT2" else "qwen2" if name == "Qwen2" else "llama"
    writer = gguf.GGUFWriter(path, family)
    config = model.config
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_license("mit")
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if family == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        writer.add_rope_dimension_count(head_width(config))
        writer.add_key_length(head_width(config))
    for key, value in metadata.items():
        getattr(writer, key)(value)
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, family.upper()), 2)
    for foreign, tensor in model.state_dict().items():
        if foreign == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = tensor.numpy()
        if family == "gpt2" and any(part in foreign for part in ("c_attn.w", "c_proj.w", "c_fc.w")):
            array = array.T
        if family == "llama" and any(part in foreign for part in ("q_proj", "k_proj")):
            heads = array.shape[0] // head_width(config)
            pairs = array.reshape(heads, 2, head_width(config) // 2, *array.shape[1:])
            array = pairs.swapaxes(1, 2).reshape(array.shape)
        theirs = names.get_name(foreign, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(theirs, np.ascontiguousarray(array))
    if config.to_dict().get("rope_parameters", {}).get("rope_type") == "llama3":
        divisors = (
            500000.0 ** -(np.arange(0, 32, 2) / 32)
        ) / model.model.rotary_emb.inv_freq.numpy()
        writer.add_tensor("rope_freqs.weight", divisors.astype(np.float32))
    for name, array in (tensors or {}).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def head_width(config: Any) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


@pytest.mark.parametrize("kind", KINDS)
def test_gguf_holds_the_same_network_as_the_folder(kind: str, folder, tmp_path: Path) -> None:
    expected = Checkpoint.open(folder(kind))
    write_gguf(tmp_path / "tiny.gguf", kind)
    opened = Checkpoint.open(tmp_path / "tiny.gguf")
    assert opened.config == replace(
        expected.config,
        decoder=replace(expected.config.decoder, dropout=opened.config.decoder.dropout),
    )
    assert opened.card.license == "mit"
    assert opened.card.name == "tiny"
    assert opened.tokenizer is None
    assert opened.generation == Generation(start=1, stop=(2,))
    for name in expected.weights:
        np.testing.assert_array_equal(opened.weights[name], expected.weights[name])
    opened.save(tmp_path / "ours")
    np.testing.assert_array_equal(logits(tmp_path / "ours"), logits(tmp_path / "theirs"))


GGUF_CHANGES = {
    "add_expert_count": (8, "llama.expert_count"),
    "add_rope_scaling_type": (gguf.RopeScalingType.LONGROPE, "rope_scaling.rope_type"),
    "add_value_length": (24, "llama.attention.value_length"),
    "add_logit_scale": (2.0, "'llama.logit_scale' is not known"),
    "add_sliding_window": (16, "llama.attention.sliding_window"),
    "add_vocab_size": (281, "llama.vocab_size is 281"),
}


@pytest.mark.parametrize("method", GGUF_CHANGES)
def test_gguf_keys_that_change_the_mathematics_are_refused(method: str, tmp_path: Path) -> None:
    value, named = GGUF_CHANGES[method]
    write_gguf(tmp_path / "tiny.gguf", "llama", **{method: value})
    told = refusal(tmp_path / "tiny.gguf")
    assert named in told
    assert "tiny.gguf: " in told


@pytest.mark.parametrize(("kind", "factor"), [("linear", 4.0), ("yarn", 4.0)])
def test_gguf_rotary_scaling_is_read(kind: str, factor: float, tmp_path: Path) -> None:
    write_gguf(
        tmp_path / "tiny.gguf",
        "llama",
        add_rope_scaling_type=gguf.RopeScalingType(kind),
        add_rope_scaling_factor=factor,
        **({"add_rope_scaling_orig_ctx_len": 64} if kind == "yarn" else {}),
    )
    decoder = Checkpoint.open(tmp_path / "tiny.gguf").config.decoder
    assert decoder is not None
    assert (decoder.rotary.scaling, decoder.rotary.factor) == (kind, factor)
    assert decoder.rotary.original_length == (64 if kind == "yarn" else 0)


def test_gguf_of_an_unknown_family_or_scaling_is_refused(tmp_path: Path) -> None:
    divisors = np.linspace(1, 8, 8, dtype=np.float32)  # as LongRoPE's, not Llama 3's
    write_gguf(tmp_path / "tiny.gguf", "llama", {"rope_freqs.weight": divisors})
    assert "rope_freqs.weight does not hold the scaling" in refusal(tmp_path / "tiny.gguf")
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "qwen3")
    writer.add_tensor("token_embd.weight", np.ones((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert "'qwen3' are not executed here. Did you mean 'qwen2'?" in refusal(
        tmp_path / "other.gguf"
    )


def test_what_a_folder_lacks_is_told(tmp_path: Path, folder) -> None:
    assert "no-such" in refusal(tmp_path / "no-such")
    source = folder("llama")
    (source / "tokenizer.json").unlink()
    assert Checkpoint.open(source).tokenizer is None
    (source / "model.safetensors").unlink()
    assert "holds no weights" in refusal(source)


def test_faults_name_their_file(folder) -> None:
    source = folder("llama")
    rewrite(source / "config.json", num_hidden_layers=3)
    told = refusal(source)
    assert str(source) in told
    assert "'model.layers.2.self_attn.q_proj.weight': is missing" in told
    rewrite(source / "config.json", num_hidden_layers=2, rope_scalin=None, hidden_size=10**9)
    assert "config.json: hidden_size must be" in refusal(source)


def test_a_network_is_saved_only_in_a_family_that_can_say_all_of_it(tmp_path: Path) -> None:
    stack = StackConfig(layers=1, width=8, length=9, heads=2, feedforward=8, norm_place="post")
    config = ModelConfig(vocabulary=5, decoder=stack)
    generator = np.random.default_rng(0)
    weights = {
        name: generator.normal(size=shape).astype(np.float32)
        for name, shape in shapes(config).items()
    }
    made = Checkpoint(
        config=config,
        weights=weights,
        tokenizer=None,
        card=Card(family="gpt2", name="mine", dtype="F32", license="cc0-1.0"),
        generation=Generation(stop=(3, 4), sampling={"temperature": 0.5, "beams": 2}),
    )
    with pytest.raises(ConfigError, match=r"'gpt2' cannot express .*decoder\.norm_place"):
        made.save(tmp_path / "mine")
    assert not list(tmp_path.iterdir())
    own = replace(made, card=replace(made.card, family="loquent"))
    own.save(tmp_path / "mine")
    with pytest.raises(CheckpointError, match="exists already"):
        own.save(tmp_path / "mine")
    again = Checkpoint.open(tmp_path / "mine")
    assert again.config == config
    assert again.generation == made.generation
    assert again.card.license == "cc0-1.0"
    for name, array in weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
    assert made.fingerprint == replace(made, weights=dict(weights)).fingerprint
    moved = {name: array + 1 for name, array in weights.items()}
    assert made.fingerprint != replace(made, weights=moved).fingerprint


def test_a_failed_save_leaves_nothing(folder, tmp_path: Path, monkeypatch) -> None:
    opened = Checkpoint.open(folder("llama"))
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(
        "loquent.checkpoints.saving._sync", lambda path: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(CheckpointError, match=r"ours: cannot be written"):
        opened.save(tmp_path / "ours")
    assert sorted(tmp_path.iterdir()) == before


def test_an_encoder_is_no_network_of_a_decoders_family() -> None:
    stack = StackConfig(layers=1, width=8, length=9)
    for kind in ("gpt2", "llama"):
        with pytest.raises(ConfigError, match="no encoder"):
            FAMILIES[kind].values(ModelConfig(vocabulary=5, encoder=stack))


def test_extra_tensors_are_refused(folder) -> None:
    source = folder("llama")
    weights = load_file(source / "model.safetensors")
    weights["model.layers.0.self_attn.q_norm.weight"] = np.ones(16, np.float32)
    save_file(weights, source / "model.safetensors")
    assert "q_norm.weight': is left over" in refusal(source)
