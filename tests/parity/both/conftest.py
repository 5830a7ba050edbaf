"""Tiny encoder-decoders of every shape that the families foresee, made by transformers."""

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

T5 = {
    "vocab_size": 97, "d_model": 32, "d_kv": 12, "d_ff": 40, "num_layers": 3, "num_heads": 4,
    "num_decoder_layers": 2, "relative_attention_num_buckets": 16,
    "relative_attention_max_distance": 50, "layer_norm_epsilon": 1e-3, "decoder_start_token_id": 0,
    "initializer_factor": 0.5,
}  # fmt: skip
BART = {
    "vocab_size": 97, "d_model": 32, "encoder_layers": 2, "decoder_layers": 3,
    "encoder_attention_heads": 4, "decoder_attention_heads": 2, "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 48, "max_position_embeddings": 160, "pad_token_id": 1, "bos_token_id": 0,
    "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2,
}  # fmt: skip
MARIAN = BART | {
    "scale_embedding": True, "activation_function": "swish", "pad_token_id": 96, "eos_token_id": 0,
    "decoder_start_token_id": 96, "forced_eos_token_id": 0, "bos_token_id": None,
}  # fmt: skip
TWO = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 83, "pad_token_id": 82}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("T5", T5),
    "t5 gated": ("T5", T5 | {"feed_forward_proj": "gated-gelu"}),
    "t5 untied": ("T5", T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "t5 silu": ("T5", T5 | {"feed_forward_proj": "gated-silu", "d_kv": 8}),
    "mt5": ("MT5", T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "bart": ("Bart", BART),
    "bart scaled": ("Bart", BART | {"scale_embedding": True, "activation_function": "relu"}),
    "bart untied": ("Bart", BART | {"tie_word_embeddings": False}),
    "mbart": ("MBart", BART | {"scale_embedding": True}),
    "marian": ("Marian", MARIAN),
    "marian relu": ("Marian", MARIAN | {"activation_function": "relu", "scale_embedding": False}),
    "marian two": ("Marian", MARIAN | TWO | {"decoder_start_token_id": 82}),
}
SOURCES, TARGETS = (131, 7, 64, 140), (137, 9, 140, 33)  # tokens of the rows of a ragged batch


class StateTensors:
    """A model's own tensors, with the face of those in files; those that are tied stand twice."""

    def __init__(self, model: Any) -> None:
        self.state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}

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

    def rows(self) -> tuple[list[list[int]], list[list[int]]]:
        generator = np.random.default_rng(0)
        words = self.config.source_vocabulary or self.config.vocabulary

        def made(lengths: tuple[int, ...], most: int) -> list[list[int]]:
            return [generator.integers(3, most, length).tolist() for length in lengths]

        return made(SOURCES, words), made(TARGETS, self.config.vocabulary)

    def network(self, config: ModelConfig | None = None, **changed: NDArray) -> Any:
        """Our network in double precision, with another config or other weights if a test says."""
        config = config or self.config
        weights = {**self.weights, **changed}
        return load(config, {name: weights[name] for name in shapes(config)}, dtype=torch.float64)

    def ours(self, rows: tuple[list[list[int]], list[list[int]]], model: Any) -> list[NDArray]:
        """All rows in one ragged batch, each cut to its length."""
        padded = [torch.zeros(len(part), max(map(len, part)), dtype=torch.long) for part in rows]
        for batch, part in zip(padded, rows, strict=True):
            for row, each in enumerate(part):
                batch[row, : len(each)] = torch.tensor(each)
        sources, targets = (torch.tensor([len(row) for row in part]) for part in rows)
        logits = model(padded[1], targets, padded[0], sources).detach().numpy()
        return [logits[row, : len(each)] for row, each in enumerate(rows[1])]

    def theirs(self, rows: tuple[list[list[int]], list[list[int]]]) -> list[NDArray]:
        """Each row alone, so that nothing of their batching is in the reference."""
        with torch.no_grad():
            return [
                self.model(
                    input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target])
                )
                .logits[0]
                .numpy()
                for source, target in zip(*rows, strict=True)
            ]


@pytest.fixture(scope="session")
def make() -> Callable[[str], Pair]:
    def made(case: str) -> Pair:
        """A case in double precision, each weight moved by about 0.1 from how it begins."""
        kind, settings = CASES[case]
        torch.manual_seed(0)
        config = getattr(transformers, f"{kind}Config")(**settings)
        name = "MarianMTModel" if kind == "Marian" else f"{kind}ForConditionalGeneration"
        # Their eager attention rounds its softmax to single precision; this one does not.
        model = getattr(transformers, name)._from_config(config, attn_implementation="sdpa")
        model = model.double().eval()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:  # Marian's table of places does not learn
                    weight.add_(0.1 * torch.randn_like(weight))
            if hasattr(model, "final_logits_bias"):
                model.final_logits_bias.add_(0.1 * torch.randn_like(model.final_logits_bias))
            if case in ("t5 untied", "mt5"):  # as in files of before transformers 5
                head = model.shared.weight + 0.1 * torch.randn_like(model.shared.weight)
                model.lm_head.weight = torch.nn.Parameter(head)
        family = FAMILIES[model.config.model_type]
        tensors = StateTensors(model)
        settings = model.config.to_dict()
        if family.settled is not None:
            settings = dict(family.settled(settings, tensors))
        ours = family.config(settings)
        return Pair(model, family, tensors, ours, family.table(ours))

    return made


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, make: Callable[[str], Pair]) -> Pair:
    return make(request.param)
