"""Families of networks as data: how others spell their settings and weights."""

from collections.abc import Mapping

from loquent.checkpoints.families.bart import BART, MBART
from loquent.checkpoints.families.bert import BERT
from loquent.checkpoints.families.distilbert import DISTILBERT
from loquent.checkpoints.families.family import Family, GgufFamily
from loquent.checkpoints.families.gpt2 import GPT2, GPT2_GGUF
from loquent.checkpoints.families.llama import LLAMA, MISTRAL, QWEN2
from loquent.checkpoints.families.llama_gguf import LLAMA_GGUF, QWEN2_GGUF
from loquent.checkpoints.families.marian import MARIAN
from loquent.checkpoints.families.own import OWN
from loquent.checkpoints.families.roberta import CAMEMBERT, ROBERTA, XLM_ROBERTA
from loquent.checkpoints.families.t5 import MT5, T5
from loquent.checkpoints.families.wav2vec2 import HUBERT, WAV2VEC2
from loquent.checkpoints.families.whisper import WHISPER

# By `model_type` in config.json.
FAMILIES: Mapping[str, Family] = {
    "bart": BART,
    "bert": BERT,
    "camembert": CAMEMBERT,
    "distilbert": DISTILBERT,
    "gpt2": GPT2,
    "hubert": HUBERT,
    "llama": LLAMA,
    "loquent": OWN,
    "marian": MARIAN,
    "mbart": MBART,
    "mistral": MISTRAL,
    "mt5": MT5,
    "qwen2": QWEN2,
    "roberta": ROBERTA,
    "smollm": LLAMA,
    "t5": T5,
    "wav2vec2": WAV2VEC2,
    "whisper": WHISPER,
    "xlm-roberta": XLM_ROBERTA,
}

# By `general.architecture` in a GGUF file.
GGUF_FAMILIES: Mapping[str, GgufFamily] = {
    "gpt2": GPT2_GGUF,
    "llama": LLAMA_GGUF,
    "qwen2": QWEN2_GGUF,
}
