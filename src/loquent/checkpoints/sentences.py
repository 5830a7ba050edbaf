"""How the makers of a network mean it to embed texts, in the files of Sentence Transformers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from loquent.architecture import ModelConfig, Pooling
from loquent.errors import CheckpointError, ConfigError
from loquent.text.documents import SETTINGS_BYTES, parse, read_bytes, read_settings

MODULES = "modules.json"
POOLING = "1_Pooling"
LIMITS = ("sentence_bert_config.json", "sentence_xlm-roberta_config.json")
PROMPTS = "config_sentence_transformers.json"

# By their names up to version 5.1 and since then.
_POOLINGS: Mapping[str, Pooling] = {
    "pooling_mode_cls_token": "first",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
_NEW_POOLINGS: Mapping[str, Pooling] = {
    "cls": "first",
    "mean": "mean",
    "max": "max",
    "lasttoken": "last",
}
_INERT = {"word_embedding_dimension", "embedding_dimension", "include_prompt", "pooling_mode"}


@dataclass(frozen=True)
class Sentences:
    """What a folder says of embedding texts beside its network."""

    length: int = 0  # tokens of a text at most; 0: as many as the network reads
    prompts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # by name: what is put before a text of that kind
    prompt: str = ""  # the name of the one that is put before texts where none is named


class _Module(msgspec.Struct):
    type: str
    path: str = ""


def embeds(folder: Path) -> bool:
    """Whether a folder describes how its network embeds texts."""
    return (folder / MODULES).is_file()


def read_sentences(folder: Path, config: ModelConfig) -> tuple[ModelConfig, Sentences]:
    """The same network with an embedding of texts as its output, and what else is said of it.

    Raises ConfigError for what is not executed here, and CheckpointError for damaged files.
    """
    where = folder / MODULES
    modules = parse(read_bytes(where, SETTINGS_BYTES), list[_Module], str(where))
    pooling: Pooling = "mean"
    for module in modules:
        kind = module.type.rpartition(".")[2]
        if kind == "Pooling":
            pooling = _pooling(folder / module.path / "config.json")
        elif kind not in ("Transformer", "Normalize"):
            raise ConfigError(
                f"the module {kind!r} is not executed here.",
                where=str(where),
                fix="Embeddings are made of Transformer, Pooling and Normalize.",
            )
    given = read_settings(folder / PROMPTS)
    prompts = given.get("prompts") or {}
    lengths = [read_settings(folder / name).get("max_seq_length") for name in LIMITS]
    length = next((each for each in lengths if isinstance(each, int)), 0)
    if not isinstance(prompts, Mapping) or not all(map(_text, prompts.values())):
        raise CheckpointError("prompts must be texts by name.", where=str(folder / PROMPTS))
    sentences = Sentences(length, dict(prompts), str(given.get("default_prompt_name") or ""))
    return embedding(config, pooling), sentences


def embedding(config: ModelConfig, pooling: Pooling) -> ModelConfig:
    """The same body, of whose states an embedding is made without further weights."""
    return replace(
        config, output="embedding", outputs=0, labels=(), pooling=pooling,
        head_bias=False, head_activation="", head_norm=False,
    )  # fmt: skip


def sentence_files(config: ModelConfig, sentences: Sentences | None) -> dict[str, Any]:
    """The files that say so to the Sentence Transformers library: contents by path."""
    modules = ("", "Transformer"), (POOLING, "Pooling"), ("2_Normalize", "Normalize")
    made: dict[str, Any] = {
        MODULES: [
            {"idx": index, "name": str(index), "path": path, "type": f"{_PACKAGE}.{kind}"}
            for index, (path, kind) in enumerate(modules)
        ],
        f"{POOLING}/config.json": {
            "word_embedding_dimension": config.top.width,
            **{name: how == config.pooling for name, how in _POOLINGS.items()},
        },
    }
    if sentences is not None and sentences.length:
        made[LIMITS[0]] = {"max_seq_length": sentences.length, "do_lower_case": False}
    if sentences is not None and sentences.prompts:
        made[PROMPTS] = {
            "prompts": dict(sentences.prompts),
            "default_prompt_name": sentences.prompt or None,
        }
    return made


_PACKAGE = "sentence_transformers.models"


def _text(value: object) -> bool:
    return isinstance(value, str)


def _pooling(path: Path) -> Pooling:
    """The one way in which states become one."""
    values = read_settings(path)
    named = values.get("pooling_mode")
    if isinstance(named, str):
        chosen = [named]
        known = dict(_NEW_POOLINGS)
    else:
        chosen = [name for name, value in values.items() if value is True and name not in _INERT]
        known = dict(_POOLINGS)
    if len(chosen) != 1 or chosen[0] not in known:
        raise ConfigError(
            f"states are made one by {', '.join(chosen) or 'nothing'}; here it is one of "
            f"{', '.join(known)}.",
            where=str(path),
        )
    return known[chosen[0]]
