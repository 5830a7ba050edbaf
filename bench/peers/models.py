"""The models that are measured: folders as Hugging Face has them, and what they cost a token."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from loquent.architecture import ModelConfig
from loquent.checkpoints import hub
from loquent.checkpoints.checkpoint import Card, Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.model.cost import cost
from loquent.model.names import shapes

PREFILL = 512
GPT2 = {
    "model_type": "gpt2",
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
}
END = "<|endoftext|>"


@dataclass(frozen=True)
class Work:
    """What a model asks of a machine."""

    vocabulary: int
    parameters: int
    weights_read: int  # by one step: every weight of a matrix, the output's included
    decode_operations: int  # for one token at 96 tokens of context
    prefill_operations: int  # for 512 tokens, of which the last one's logits are wanted


def gpt2_shaped(folder: Path) -> None:
    """GPT-2 124M (Radford et al. 2019) in shape, with random weights and a made-up vocabulary."""
    family = FAMILIES["gpt2"]
    config = family.config(GPT2)
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in shapes(config).items():
        scale = 0.02 if len(shape) == 2 else 0.01
        values = rng.standard_normal(shape, np.float32) * np.float32(scale)
        is_norm = "norm" in name and name.endswith("weight")
        weights[name] = values + np.float32(1) if is_norm else values
    card = Card(family="gpt2", name=folder.name, dtype="F32")
    Checkpoint(config=config, weights=weights, tokenizer=None, card=card).save(folder)
    _tokenizer(config.vocabulary).save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast"}
    about |= dict.fromkeys(("bos_token", "eos_token", "unk_token"), END)  # as GPT-2 has them
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def smollm2(folder: Path) -> None:
    """The catalogue's default model; its own GGUF file stands beside the folder's weights."""
    path = hub.resolve("smollm2-135m")
    Checkpoint.open(path).save(folder)
    shutil.copyfile(path, folder / "original.gguf")


MODELS: dict[str, Callable[[Path], None]] = {"gpt2-124m": gpt2_shaped, "smollm2-135m": smollm2}


def made(name: str, home: Path) -> Path:
    """The folder of a model, made where it is not there yet."""
    folder = home / name / "source"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        MODELS[name](folder)
    return folder


def work(folder: Path) -> Work:
    """What the model of a folder costs; kept in a file beside it, since the sum takes a while."""
    kept = folder.parent / "work.json"
    if not kept.exists():
        found = _work(Checkpoint.open(folder).config)
        kept.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return Work(**json.loads(kept.read_text(encoding="utf-8")))


def _work(config: ModelConfig) -> Work:
    stack = config.decoder
    assert stack is not None
    head = config.vocabulary * stack.width
    matrices = sum(
        prod(shape)
        for name, shape in shapes(config).items()
        if name.startswith("decoder.layers.") and len(shape) == 2
    )
    # a token of a prompt sees half of it on average, and only the last one needs the output
    each = cost(config, context=PREFILL // 2).flops - 2 * head
    return Work(
        vocabulary=config.vocabulary,
        parameters=cost(config).parameters,
        weights_read=matrices + head,
        decode_operations=cost(config, context=96).flops,
        prefill_operations=PREFILL * each + 2 * head,
    )


def _tokenizer(size: int) -> Tokenizer:
    """A byte-level tokenizer with a vocabulary of this size: pairs of bytes, and an end."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [(first, second) for first in letters for second in letters]
    merges = pairs[: size - len(letters) - 1]
    words = [*letters, *(first + second for first, second in merges), END]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    return tokenizer
