"""Adapters go to the PEFT library and come from it, with the same logits on both sides."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from loquent.change.lora import LoraConfig, adapter_of, add_lora, attach
from loquent.checkpoints.adapters.merging import merged
from loquent.checkpoints.adapters.reading import open_adapter
from loquent.checkpoints.adapters.settings import read_peft
from loquent.checkpoints.adapters.writing import save_adapter
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.model.model import load

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

# transformers computes rotary tables and RMSNorm in single precision (tests/parity/).
ALLOWED = {"gpt2": 1e-12, "llama": 2e-6}
QKVO = ["q_proj", "k_proj", "v_proj", "o_proj"]

THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "attention": ("llama", {"target_modules": QKVO}),
    "all": ("llama", {"target_modules": "all-linear"}),
    "pattern": ("llama", {"target_modules": r".*\.(self_attn|mlp)\.(q|down)_proj"}),
    "excluded": ("llama", {"target_modules": QKVO, "exclude_modules": ["k_proj"]}),
    "layers": ("llama", {"target_modules": ["up_proj"], "layers_to_transform": [0, 2]}),
    "root": ("llama", {"target_modules": QKVO, "use_rslora": True}),
    "patterns": (
        "llama",
        {
            "target_modules": QKVO,
            "rank_pattern": {"layers.1.self_attn.q_proj": 6, "v_proj": 2},
            "alpha_pattern": {"^model.layers.2.self_attn.q_proj": 3, "o_proj": 9},
        },
    ),
    "head": ("llama", {"target_modules": QKVO, "modules_to_save": ["lm_head", "norm"]}),
    "embedding": ("llama", {"target_modules": QKVO, "modules_to_save": ["embed_tokens"]}),
    "biases": ("llama biases", {"target_modules": QKVO, "bias": "all"}),
    "tied": ("llama tied", {"target_modules": QKVO}),
    "mistral": ("mistral", {"target_modules": QKVO}),
    "qwen2": ("qwen2", {"target_modules": "all-linear"}),
    "fused": ("gpt2", {"target_modules": ["c_attn"]}),
    "conv": ("gpt2", {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}),
    "conv biases": ("gpt2", {"target_modules": ["c_attn"], "bias": "all"}),
}
OURS: dict[str, tuple[str, LoraConfig]] = {
    "all": ("llama", LoraConfig(rank=3, alpha=6)),
    "two": ("llama", LoraConfig(rank=3, alpha=5, targets=("query", "down"))),
    "root": ("llama", LoraConfig(rank=3, alpha=5, rank_stabilized=True)),
    "layer": ("llama", LoraConfig(rank=3, targets=("*.layers.1.attention.*",))),
    "head": (
        "llama",
        LoraConfig(targets=("query",), learned=("head.*", "*embedding*", "*norm.weight")),
    ),
    "biases": ("llama biases", LoraConfig(targets=("query",), learned=("*.bias",))),
    "mistral": ("mistral", LoraConfig(rank=2)),
    "qwen2": ("qwen2", LoraConfig(rank=2)),
    "conv": ("gpt2", LoraConfig(rank=3, alpha=6)),
    "fused": ("gpt2", LoraConfig(rank=3, targets=("key",))),
    "output": ("gpt2", LoraConfig(rank=3, targets=("output",))),
    "conv biases": ("gpt2", LoraConfig(targets=("up",), learned=("*.bias",))),
    "norms": ("gpt2", LoraConfig(targets=("up",), learned=("decoder.norm.*",))),
}


def allowed(kind: str) -> float:
    return ALLOWED["gpt2" if kind == "gpt2" else "llama"]


def theirs(model: Any) -> Any:
    ids = torch.from_numpy(np.random.default_rng(3).integers(0, 97, (3, 23)))
    with torch.no_grad():
        return model.double().eval()(ids).logits


def opened(path: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(path, attn_implementation="sdpa")


@pytest.mark.parametrize("case", THEIRS)
def test_what_peft_has_made_opens_here(
    case: str, base: Callable[[str], Path], logits: Callable[..., Any], tmp_path: Path
) -> None:
    kind, settings = THEIRS[case]
    torch.manual_seed(1)
    plain = theirs(opened(base(kind)))
    config = peft.LoraConfig(r=4, lora_alpha=10, task_type="CAUSAL_LM", **settings)
    model = peft.get_peft_model(opened(base(kind)), config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn_like(weight))
    model.save_pretrained(tmp_path)
    wanted = theirs(model)
    assert float((wanted - plain).abs().max()) > 0.01
    checkpoint = Checkpoint.open(base(kind))
    one = merged(checkpoint, tmp_path)
    made = logits(load(one.config, one.weights, dtype=torch.float64))
    assert float((made - wanted).abs().max()) < allowed(kind) + 1e-5  # weights are rounded once
    other = load(checkpoint.config, checkpoint.weights, dtype=torch.float64)
    attach(other, open_adapter(tmp_path, checkpoint))
    assert float((logits(other) - wanted).abs().max()) < allowed(kind)


@pytest.mark.parametrize("case", OURS)
def test_what_is_made_here_opens_in_peft(
    case: str,
    base: Callable[[str], Path],
    logits: Callable[..., Any],
    learned: Callable[..., None],
    tmp_path: Path,
) -> None:
    kind, config = OURS[case]
    checkpoint = Checkpoint.open(base(kind))
    model = load(checkpoint.config, checkpoint.weights, trainable=True)
    add_lora(model, config)
    learned(model)
    adapter, folder = adapter_of(model), tmp_path / "adapter"
    save_adapter(
        folder,
        adapter,
        family=checkpoint.card.family,
        config=checkpoint.config,
        base=str(base(kind)),
    )
    ours = load(checkpoint.config, checkpoint.weights, dtype=torch.float64)
    attach(ours, adapter)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it warns of keys that are missing or of no use to it
        warnings.simplefilter("ignore", FutureWarning)  # of transformers, about itself
        model = peft.PeftModel.from_pretrained(opened(base(kind)), folder)
    wanted = logits(ours)
    made = theirs(model)
    assert float((made - wanted).abs().max()) < allowed(kind)
    assert float((made - theirs(opened(base(kind)))).abs().max()) > 0.01
    again = theirs(model.merge_and_unload())
    assert float((again - wanted).abs().max()) < allowed(kind)


def test_every_setting_that_the_installed_peft_writes_is_known(tmp_path: Path) -> None:
    values = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM").to_dict()
    plain = {name: sorted(each) if isinstance(each, set) else each for name, each in values.items()}
    (tmp_path / "adapter_config.json").write_text(json.dumps(plain))
    assert read_peft(tmp_path / "adapter_config.json").targets == ("q_proj",)


@pytest.mark.weights
@pytest.mark.slow
def test_real_weights_both_ways(default_model: Path, learned: Any, tmp_path: Path) -> None:
    """SmolLM2-135M-Instruct, in single precision on both sides."""
    checkpoint = Checkpoint.open(default_model)
    checkpoint.save(tmp_path / "base")
    ids = torch.tensor(
        [checkpoint.tokenizer.encode("The capital of France is Paris, and of Italy")]
    )
    model = load(checkpoint.config, checkpoint.weights, trainable=True)
    receipt = add_lora(model, LoraConfig(rank=8, alpha=16))
    assert (len(receipt.names), receipt.learned) == (210, 2_442_240)
    learned(model, 0.01)
    with torch.no_grad():
        ours = model.eval()(ids)
    save_adapter(tmp_path / "a", adapter_of(model), family="llama", config=checkpoint.config)
    other = peft.PeftModel.from_pretrained(opened(tmp_path / "base"), tmp_path / "a").eval()
    with torch.no_grad():
        made = other(ids).logits
    # single precision over 30 layers; logits reach 30
    assert float((made - ours).abs().max()) < 2e-3
    assert float((ours - load(checkpoint.config, checkpoint.weights)(ids)).abs().max()) > 0.1
    del model, other

    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=QKVO, task_type="CAUSAL_LM")
    theirs_ = peft.get_peft_model(opened(tmp_path / "base"), config)
    learned(theirs_, 0.02)
    theirs_.save_pretrained(tmp_path / "b")
    one = merged(checkpoint, tmp_path / "b")
    with torch.no_grad():
        wanted = theirs_.eval()(ids).logits
        found = load(one.config, one.weights)(ids)
    assert float((found - wanted).abs().max()) < 2e-3
    assert (found.argmax(-1) == wanted.argmax(-1)).all()
