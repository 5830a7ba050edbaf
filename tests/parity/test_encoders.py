"""BERT, RoBERTa and DistilBERT with every head compute what transformers computes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.families.family import Family, Rows
from loquent.checkpoints.translate import translate
from loquent.model.model import load
from loquent.model.names import shapes

EXACT = 1e-12  # all of their arithmetic is double; only the order of sums differs
LENGTHS = (137, 9, 64, 131)  # tokens of the rows of a ragged batch
CLASSES = 5
LABELS = {0: "joy", 1: "anger", 2: "fear", 3: "love", 4: "none of these"}

BERT = {
    "vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 160,
}  # fmt: skip
DISTILBERT = {
    "vocab_size": 97, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48,
    "max_position_embeddings": 160,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "Bert": BERT | {"layer_norm_eps": 1e-3},
    "Roberta": BERT | {"type_vocab_size": 1, "layer_norm_eps": 1e-3},
    "DistilBert": DISTILBERT,
}
HEADS = ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
         "ForQuestionAnswering")  # fmt: skip
UNTIED = {"tie_word_embeddings": False}
SEVERAL = {"problem_type": "multi_label_classification", "id2label": LABELS}
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    f"{kind}{head}": (kind, head, {"id2label": LABELS} if "Classification" in head else {})
    for kind in KINDS
    for head in HEADS
} | {
    "BertForPreTraining": ("Bert", "ForPreTraining", {}),
    "Bert labels": ("Bert", "ForSequenceClassification", SEVERAL),
    "Roberta labels": ("Roberta", "ForSequenceClassification", SEVERAL),
    "DistilBert labels": ("DistilBert", "ForSequenceClassification", SEVERAL),
    "Bert one value": ("Bert", "ForSequenceClassification", {"num_labels": 1}),
    "Bert untied relu": ("Bert", "ForMaskedLM", UNTIED | {"hidden_act": "relu"}),
    "Roberta untied silu": ("Roberta", "ForMaskedLM", UNTIED | {"hidden_act": "silu"}),
    "DistilBert relu": ("DistilBert", "ForMaskedLM", {"activation": "relu"}),
    "XLMRobertaForMaskedLM": ("XLMRoberta", "ForMaskedLM", {}),
    "Camembert tags": ("Camembert", "ForTokenClassification", {"id2label": LABELS}),
}  # fmt: skip


class StateTensors:
    """A model's own tensors, with the face of those in files."""

    def __init__(self, model: Any) -> None:
        tied = getattr(model, "all_tied_weights_keys", {}) or {}
        self.state = {
            name: tensor.numpy() for name, tensor in model.state_dict().items() if name not in tied
        }

    def __iter__(self) -> Any:
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
    config: ModelConfig
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, NDArray]:
        table = {**self.family.table(self.config), **self.rules}
        read, _ = translate(StateTensors(self.model), table, self.config, self.family.prefix)
        return {name: np.array(read[name]) for name in read}

    def network(self, config: ModelConfig | None = None, **changed: NDArray) -> Any:
        config = config or self.config
        weights = {**self.weights, **changed}
        return load(config, {name: weights[name] for name in shapes(config)}, dtype=torch.float64)

    def rows(self) -> tuple[list[NDArray], list[NDArray]]:
        """Ids and segments of a ragged batch; ids avoid RoBERTa's padding, which is no token."""
        generator = np.random.default_rng(0)
        ids = [generator.integers(2, self.config.vocabulary, length) for length in LENGTHS]
        kinds = max(self.config.encoder.segments, 1)
        return ids, [generator.integers(0, kinds, length) for length in LENGTHS]


def made(case: str) -> Pair:
    """A case in double precision, each weight moved by about 0.1 from how it begins."""
    kind, head, settings = CASES[case]
    torch.manual_seed(0)
    shape = KINDS.get(kind, KINDS["Roberta"])
    config = getattr(transformers, f"{kind}Config")(**shape, **settings)
    model = getattr(transformers, f"{kind}{head}")._from_config(config, attn_implementation="sdpa")
    model = model.double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        if (
            settings.get("tie_word_embeddings") is False
        ):  # then theirs has a bias that it never adds
            words = model.cls.predictions if kind == "Bert" else model.lm_head
            words.bias.copy_(words.decoder.bias)
    values = json.loads(model.config.to_json_string(use_diff=False))
    values["architectures"] = [f"{kind}{head}"]
    family = FAMILIES[model.config.model_type]
    return Pair(model, family, family.config(values))


def theirs(pair: Pair, model: Any = None) -> list[NDArray]:
    """Each row alone, so that nothing of their batching is in the reference."""
    found, output = [], pair.config.output
    for ids, segments in zip(*pair.rows(), strict=True):
        given = {"input_ids": torch.tensor(ids)[None]}
        if pair.config.encoder.segments:
            given["token_type_ids"] = torch.tensor(segments)[None]
        with torch.no_grad():
            told = (model or pair.model)(**given)
        if output == "embedding":
            mean = told.last_hidden_state[0].mean(0)
            found.append((mean / mean.norm()).numpy())
        elif output == "span":
            found.append(torch.stack([told.start_logits[0], told.end_logits[0]], -1).numpy())
        elif "prediction_logits" in told:
            found.append(told.prediction_logits[0].numpy())
        else:
            found.append(told.logits[0].numpy())
    return found


def ours(pair: Pair, network: Any = None) -> list[NDArray]:
    """All rows in one ragged batch, each cut to its length."""
    network = network or pair.network()
    rows, segments = pair.rows()
    padded = [np.zeros((len(rows), max(LENGTHS)), np.int64) for _ in range(2)]
    for row, (ids, kinds) in enumerate(zip(rows, segments, strict=True)):
        padded[0][row, : len(ids)], padded[1][row, : len(ids)] = ids, kinds
    kinds = torch.tensor(padded[1]) if pair.config.encoder.segments else None
    found = network(torch.tensor(padded[0]), torch.tensor(LENGTHS), segments=kinds).numpy()
    whole = pair.config.output in ("class", "labels", "embedding")
    return [each if whole else each[:length] for each, length in zip(found, LENGTHS, strict=True)]


def distance(pair: Pair, network: Any = None) -> float:
    """Largest difference of any value of a ragged batch."""
    mine, other = ours(pair, network), theirs(pair)
    assert [each.shape for each in mine] == [each.shape for each in other]
    assert (
        float(np.concatenate([each.ravel() for each in other]).std()) > 0.05
    )  # they say something
    return max(float(abs(a - b).max()) for a, b in zip(mine, other, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_transformers(case: str) -> None:
    assert distance(made(case)) <= EXACT


@pytest.mark.parametrize("case", CASES)
def test_folders_are_read_and_written(case: str, tmp_path: Path) -> None:
    """What they save we open, what we save they open, and the values stay the same."""
    pair = made(case)
    pair.model.float().save_pretrained(tmp_path / "theirs")
    checkpoint = Checkpoint.open(tmp_path / "theirs")
    assert checkpoint.config == pair.config
    checkpoint.save(tmp_path / "ours")
    again = Checkpoint.open(tmp_path / "ours")
    assert again.config == checkpoint.config
    for name in checkpoint.weights:
        np.testing.assert_array_equal(again.weights[name], checkpoint.weights[name])
    kind, head, settings = CASES[case]
    head = "ForMaskedLM" if head == "ForPreTraining" else head
    opened = getattr(transformers, f"{kind}{head}").from_pretrained(tmp_path / "ours")
    assert opened.config.architectures == [f"{kind}{head}"]
    if "id2label" in settings:
        assert opened.config.id2label == LABELS
        assert opened.config.label2id == {name: number for number, name in LABELS.items()}
        assert checkpoint.config.labels == tuple(LABELS.values())
    assert opened.config.problem_type == settings.get("problem_type", opened.config.problem_type)
    for mine, other in zip(theirs(pair, opened.eval()), theirs(pair), strict=True):
        np.testing.assert_array_equal(mine, other)


def changed(pair: Pair, **stack: Any) -> ModelConfig:
    return replace(pair.config, encoder=replace(pair.config.encoder, **stack))


def reshaped(pair: Pair, part: str, change: Callable[[NDArray], NDArray]) -> Any:
    found = {name: change(array) for name, array in pair.weights.items() if name.endswith(part)}
    assert found
    return pair.network(**found)


def swapped(pair: Pair, one: str, other: str) -> Any:
    weights = pair.weights
    found = {name.replace(one, other): each for name, each in weights.items() if one in name}
    back = {name.replace(other, one): each for name, each in weights.items() if other in name}
    return pair.network(**found, **back)


def without(pair: Pair, *fields: str) -> Any:
    return pair.network(replace(pair.config, **dict.fromkeys(fields, False)))


_MASKED, _TEXT, _TAGS = "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"
MISTAKES: Mapping[str, tuple[str, Callable[[Pair], Any]]] = {
    "segments ignored": (
        "BertModel", lambda p: reshaped(p, "segments.weight", lambda a: np.repeat(a[:1], 2, 0)),
    ),
    "the one segment left out": (
        "RobertaModel", lambda p: reshaped(p, "segments.weight", np.zeros_like),
    ),
    "places from 0": (
        f"Roberta{_TAGS}", lambda p: reshaped(p, "positions.weight", lambda a: np.roll(a, 2, 0)),
    ),
    "places from 1": (
        f"Roberta{_TAGS}", lambda p: reshaped(p, "positions.weight", lambda a: np.roll(a, 1, 0)),
    ),
    "sees only what stands before": (
        f"Bert{_MASKED}", lambda p: p.network(changed(p, causal=True)),
    ),
    "norms before the branches": (
        f"DistilBert{_MASKED}", lambda p: p.network(changed(p, norm_place="pre")),
    ),
    "norm epsilon": (f"Bert{_TAGS}", lambda p: p.network(changed(p, norm_epsilon=1e-5))),
    "norms swapped": (f"Bert{_TAGS}", lambda p: swapped(p, "attention_norm", "feedforward_norm")),
    "no norm of embeddings": (
        "DistilBertModel", lambda p: p.network(changed(p, embedding_norm=False)),
    ),
    "gelu by tanh": (f"Bert{_TAGS}", lambda p: p.network(changed(p, activation="gelu_tanh"))),
    "key bias missing": (
        f"DistilBert{_TEXT}", lambda p: reshaped(p, "value.bias", np.zeros_like),
    ),
    "query and key swapped": (
        "Bert one value", lambda p: swapped(p, "attention.query", "attention.key"),
    ),
    "pooled by the mean": (
        f"Bert{_TEXT}", lambda p: p.network(replace(p.config, pooling="mean")),
    ),
    "pooled by the last": (
        f"Roberta{_TEXT}", lambda p: p.network(replace(p.config, pooling="last")),
    ),
    "pooled by the first": ("BertModel", lambda p: p.network(replace(p.config, pooling="first"))),
    "no map of the pooled": (
        f"Bert{_TEXT}", lambda p: p.network(replace(p.config, head_activation="")),
    ),
    "relu for tanh": (
        f"Roberta{_TEXT}", lambda p: p.network(replace(p.config, head_activation="relu")),
    ),
    "tanh for relu": (
        f"DistilBert{_TEXT}", lambda p: p.network(replace(p.config, head_activation="tanh")),
    ),
    "no norm before the words": (f"Bert{_MASKED}", lambda p: without(p, "head_norm")),
    "no bias of the words": (f"Roberta{_MASKED}", lambda p: without(p, "head_bias")),
    "relu in the masked head": (
        "Bert untied relu", lambda p: p.network(replace(p.config, head_activation="gelu")),
    ),
    "the body's activation in RoBERTa's head": (
        "Roberta untied silu", lambda p: p.network(replace(p.config, head_activation="silu")),
    ),
    "head tied": ("Bert untied relu", lambda p: p.network(replace(p.config, tied=True))),
    "start and end swapped": (
        "BertForQuestionAnswering", lambda p: reshaped(p, "head.weight", lambda a: a[::-1].copy()),
    ),
    "classes in another order": (
        f"DistilBert{_TAGS}", lambda p: reshaped(p, "head.weight", lambda a: np.roll(a, 1, 0)),
    ),
    "a layer left out": (f"Roberta{_TAGS}", lambda p: p.network(changed(p, layers=2))),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_caught(mistake: str) -> None:
    case, spoil = MISTAKES[mistake]
    pair = made(case)
    assert distance(pair, spoil(pair)) > 1e-6


def test_a_table_read_from_another_row_is_caught() -> None:
    pair = made("RobertaForMaskedLM")
    length = pair.config.encoder.length
    for skipped in (0, 1):
        pair.rules = {
            "roberta.embeddings.position_embeddings.weight": Rows(
                "encoder.positions.weight", skipped
            )
        }
        pair.config = changed(pair, length=length + 2 - skipped)
        assert distance(pair) > 1e-6
