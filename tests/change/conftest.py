"""Tiny bases of each family as transformers writes them, and networks of every shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from loquent.architecture import ModelConfig, StackConfig
from loquent.model.init import initialize
from loquent.model.model import Model

LLAMA = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "rms_norm_eps": 1e-3, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GPT2 = {
    "vocab_size": 97, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128,
    "layer_norm_epsilon": 1e-3, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", GPT2),
    "llama": ("Llama", LLAMA),
    "llama tied": ("Llama", LLAMA | {"tie_word_embeddings": True}),
    "llama biases": ("Llama", LLAMA | {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("Mistral", LLAMA | {"sliding_window": None}),
    "qwen2": ("Qwen2", LLAMA),
}
ATTENTION = {
    "layers": 2, "width": 32, "length": 64, "heads": 4, "kv_heads": 2, "feedforward": 48,
    "gated": True, "norm": "rms", "positions": "rotary",
}  # fmt: skip
BIASES = {"attention_bias": True, "output_bias": True, "feedforward_bias": True}
SMALL = {"layers": 2, "width": 32, "length": 64, "heads": 4, "feedforward": 48, **BIASES}
CONFIGS = {
    "llama": ModelConfig(vocabulary=61, tied=False, decoder=StackConfig(**ATTENTION)),
    "gpt2": ModelConfig(vocabulary=61, decoder=StackConfig(**SMALL)),
    "both": ModelConfig(
        vocabulary=61,
        encoder=StackConfig(**SMALL, causal=False),
        decoder=StackConfig(**SMALL, cross=True),
    ),
}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a kind, each weight moved by about 0.1 from how it begins."""
    transformers = pytest.importorskip("transformers")
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            name, settings = KINDS[kind]
            torch.manual_seed(0)
            config = getattr(transformers, f"{name}Config")(**settings)
            head = "LMHeadModel" if name == "GPT2" else "ForCausalLM"
            model = getattr(transformers, name + head)(config)
            with torch.no_grad():
                for weight in model.parameters():
                    weight.add_(0.1 * torch.randn_like(weight))
            made[kind] = tmp_path_factory.mktemp("bases") / kind.replace(" ", "-")
            model.save_pretrained(made[kind])
        return made[kind]

    return folder


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return CONFIGS[request.param]


@pytest.fixture
def network() -> Callable[..., Any]:
    def make(config: ModelConfig, dtype: Any = torch.float64) -> Any:
        """A network whose weights say something, in double precision unless told."""
        model = Model(config)
        initialize(model, seed=1)
        torch.manual_seed(2)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        return model.to(dtype).eval()

    return make


@pytest.fixture
def logits() -> Callable[..., Any]:
    def run(model: Any) -> Any:
        """What a network makes of three rows, the source too where it reads one."""
        ids = np.random.default_rng(3).integers(0, model.config.vocabulary, (3, 23))
        rows = torch.from_numpy(ids)
        with torch.no_grad():
            return model(rows, source=rows if model.config.encoder and model.decoder else None)

    return run


@pytest.fixture
def learned() -> Callable[..., None]:
    def change(model: Any, size: float = 0.1) -> None:
        """Give all that learns other values, as if it had learned."""
        generator = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    drawn = torch.randn(weight.shape, generator=generator)
                    weight.add_(size * drawn.to(weight.dtype))

    return change
