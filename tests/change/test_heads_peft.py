"""Adapters with a head for texts: of BERT's family, to the PEFT library and from it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from loquent.change.head import headed
from loquent.change.lora import LoraConfig, adapter_of, add_lora
from loquent.checkpoints.adapters.merging import merged
from loquent.checkpoints.adapters.writing import save_adapter
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.engine.network import Text
from loquent.engine.torch_network import open_network
from loquent.errors import CheckpointError, ConfigError
from loquent.model.model import load

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

IDS = np.random.default_rng(2).integers(5, 90, size=(3, 40)).tolist()


def described(base: Checkpoint, output: str = "class"):
    labels = ("bad", "so so", "good")
    plain = replace(base.config, output=output, outputs=3, labels=labels, pooling="first")
    return FAMILIES["bert"].headed(plain)


def told(checkpoint: Checkpoint) -> np.ndarray:
    network = open_network(checkpoint.config, checkpoint.weights, precision="float64")
    return np.stack(network.read([Text(ids) for ids in IDS]))


def theirs(model) -> np.ndarray:
    with torch.no_grad():
        return model.double().eval()(torch.tensor(IDS)).logits.numpy()


@pytest.mark.parametrize("kind", ["SequenceClassification", "TokenClassification"])
def test_what_is_made_here_opens_in_peft(kind, tiny_bert, learned, tmp_path) -> None:
    base = Checkpoint.open(tiny_bert("BertModel"))
    config = described(base, "class" if kind.startswith("S") else "tags")
    weights, _ = headed(config, base.weights, seed=4)
    model = load(config, weights, trainable=True)
    add_lora(model, LoraConfig(rank=3, learned=("head.*",)))
    learned(model)
    folder = tmp_path / "adapter"
    save_adapter(folder, adapter_of(model), family="bert", config=model.config, base="base")
    settings = json.loads((folder / "adapter_config.json").read_text())
    assert settings["task_type"] == ("SEQ_CLS" if kind.startswith("S") else "TOKEN_CLS")
    one = merged(base, folder)
    assert one.config.labels == ("bad", "so so", "good")
    opened = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(
        tiny_bert("BertModel"), num_labels=3
    )
    made = theirs(peft.PeftModel.from_pretrained(opened, folder))
    assert np.abs(told(one) - made).max() < 1e-5  # weights are rounded once where they are merged
    assert np.abs(made).max() > 0.01


def test_what_peft_has_made_opens_here(tiny_bert, learned, tmp_path) -> None:
    torch.manual_seed(1)
    opened = transformers.BertForSequenceClassification.from_pretrained(
        tiny_bert("BertForSequenceClassification", num_labels=3)
    )
    config = peft.LoraConfig(r=4, target_modules=["query", "value"], task_type="SEQ_CLS")
    model = peft.get_peft_model(opened, config)
    learned(model)
    model.save_pretrained(tmp_path)
    base = Checkpoint.open(tiny_bert("BertForSequenceClassification", num_labels=3))
    assert np.abs(told(merged(base, tmp_path)) - theirs(model)).max() < 1e-5


def test_a_head_without_weights_and_another_base_are_told(tiny_bert, learned, tmp_path) -> None:
    base = Checkpoint.open(tiny_bert("BertModel"))
    config = described(base)
    model = load(config, headed(config, base.weights)[0], trainable=True)
    add_lora(model, LoraConfig(rank=3))
    learned(model)
    save_adapter(tmp_path / "a", adapter_of(model), family="bert", config=model.config)
    with pytest.raises(CheckpointError, match=r"no weight|head\.hidden\.weight"):
        merged(base, tmp_path / "a")
    other = json.loads((tmp_path / "a" / "config.json").read_text()) | {"num_hidden_layers": 3}
    (tmp_path / "a" / "config.json").write_text(json.dumps(other))
    with pytest.raises(CheckpointError, match="another network"):
        merged(base, tmp_path / "a")
    mean = replace(config, pooling="mean", head_activation="")
    with pytest.raises(ConfigError, match="cannot express"):
        save_adapter(tmp_path / "b", adapter_of(model), family="bert", config=mean)
