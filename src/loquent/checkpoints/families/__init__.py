"""Families of networks as data: how others spell their settings and weights."""

from collections.abc import Mapping

from loquent.checkpoints.families.family import Family, GgufFamily
from loquent.checkpoints.families.gpt2 import GPT2, GPT2_GGUF
from loquent.checkpoints.families.llama import LLAMA, MISTRAL, QWEN2
from loquent.checkpoints.families.llama_gguf import LLAMA_GGUF, QWEN2_GGUF
from loquent.checkpoints.families.own import OWN

# By `model_type` in config.json.
FAMILIES: Mapping[str, Family] = {
    "gpt2": GPT2,
    "llama": LLAMA,
    "loquent": OWN,
    "mistral": MISTRAL,
    "qwen2": QWEN2,
    "smollm": LLAMA,
}

# By `general.architecture` in a GGUF file.
GGUF_FAMILIES: Mapping[str, GgufFamily] = {
    "gpt2": GPT2_GGUF,
    "llama": LLAMA_GGUF,
    "qwen2": QWEN2_GGUF,
}
