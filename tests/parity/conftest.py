"""Tiny networks of every shape that the families foresee, made by transformers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.families.family import Family
from loquent.checkpoints.translate import translate
from loquent.model.model import load
from loquent.model.names import shapes

SMALL = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
LLAMA = SMALL | {"intermediate_size": 48, "max_position_embeddings": 256, "rms_norm_eps": 1e-3}
GQA = LLAMA | {"num_key_value_heads": 2}
GPT2 = {
    "vocab_size": 97,
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": 160,
    "layer_norm_epsilon": 1e-3,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
SHARP = YARN | {
    "original_max_position_embeddings": 128,
    "attention_factor": 1.3,
    "beta_fast": 8,
    "beta_slow": 2,
}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", GPT2),
    "gpt2 gelu": ("GPT2", GPT2 | {"activation_function": "gelu"}),
    "gpt2 unscaled": ("GPT2", GPT2 | {"scale_attn_weights": False}),
    "gpt2 untied": ("GPT2", GPT2 | {"tie_word_embeddings": False}),
    "gpt2 square": ("GPT2", GPT2 | {"n_inner": 32, "activation_function": "relu"}),
    "llama": ("Llama", LLAMA),
    "llama gqa": ("Llama", GQA),
    "llama mqa tied": ("Llama", LLAMA | {"num_key_value_heads": 1, "tie_word_embeddings": True}),
    "llama wide heads": ("Llama", GQA | {"head_dim": 12}),
    "llama biases": ("Llama", GQA | {"attention_bias": True, "mlp_bias": True}),
    "llama base": (
        "Llama",
        GQA | {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    ),
    "llama linear": ("Llama", GQA | {"rope_parameters": {"rope_type": "linear", "factor": 4.0}}),
    "llama llama3": ("Llama", GQA | {"rope_parameters": LLAMA3 | {"rope_theta": 5000.0}}),
    "llama yarn": ("Llama", GQA | {"rope_parameters": YARN}),
    "llama yarn factors": ("Llama", GQA | {"rope_parameters": SHARP, "head_dim": 32}),
    "mistral": ("Mistral", GQA | {"head_dim": 16, "sliding_window": None}),
    "qwen2": ("Qwen2", GQA),
    "qwen2 yarn tied": ("Qwen2", GQA | {"rope_parameters": YARN, "tie_word_embeddings": True}),
}
LENGTHS = (137, 9, 64, 131)  # tokens of the rows of a ragged batch


class StateTensors:
    """A model's own tensors, with the face of those in files."""

    def __init__(self, model: Any) -> None:
        self.state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        if model.config.tie_word_embeddings:
            del self.state["lm_head.weight"]  # as files leave it out

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def __contains__(self, name: object) -> bool:
        return name in self.state

    def __getitem__(self, name: str) -> NDArray:
        return self.state[name]

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.state[name].shape)


@dataclass
class Pair:
    """A network of transformers, and what of it our executor is given; a test may spoil that."""

    model: Any
    family: Family
    tensors: StateTensors
    config: ModelConfig
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, NDArray]:
        read, _ = translate(self.tensors, self.rules, self.config, self.family.prefix)
        return {name: np.array(read[name]) for name in read}

    def rows(self, lengths: tuple[int, ...] = LENGTHS) -> list[list[int]]:
        generator = np.random.default_rng(0)
        return [
            generator.integers(0, self.config.vocabulary, length).tolist() for length in lengths
        ]

    def network(self, config: ModelConfig | None = None, **changed: NDArray) -> Any:
        """Our network in double precision, with another config or other weights if a test says."""
        config = config or self.config
        weights = {**self.weights, **changed}
        return load(config, {name: weights[name] for name in shapes(config)}, dtype=torch.float64)

    def ours(self, rows: list[list[int]], model: Any = None) -> list[NDArray]:
        """All rows in one ragged batch, each cut to its length."""
        model = model or self.network()
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for row, each in enumerate(rows):
            ids[row, : len(each)] = torch.tensor(each)
        lengths = torch.tensor([len(row) for row in rows])
        logits = model(ids, lengths).numpy()
        return [logits[row, : len(each)] for row, each in enumerate(rows)]

    def theirs(self, rows: list[list[int]]) -> list[NDArray]:
        """Each row alone, so that nothing of their batching is in the reference."""
        with torch.no_grad():
            return [self.model(torch.tensor([row])).logits[0].numpy() for row in rows]


@pytest.fixture(scope="session")
def make() -> Callable[[str], Pair]:
    def made(case: str) -> Pair:
        """A case in double precision, each weight moved by about 0.1 from how it begins."""
        kind, settings = CASES[case]
        torch.manual_seed(0)
        config = getattr(transformers, f"{kind}Config")(**settings)
        name = f"{kind}LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM"
        # Their eager attention rounds its softmax to single precision; this one does not.
        model = getattr(transformers, name)._from_config(config, attn_implementation="sdpa")
        model = model.double().eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        family = FAMILIES[model.config.model_type]
        settings = model.config.to_dict()
        return Pair(model, family, StateTensors(model), family.config(settings), family.rules)

    return made


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, make: Callable[[str], Pair]) -> Pair:
    return make(request.param)
