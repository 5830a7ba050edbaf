"""What a plan gets where it does not say: lengths, rates, batches and the network's description."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from loquent.architecture import FrontConfig, ModelConfig, Pooling, SpeechConfig
from loquent.runs.networks import NETWORKS, Shape, Size, recurrent
from loquent.tasks import TASKS, Stacks

# Tokens of a window, or the longest input that a network is made for where nothing longer comes.
LENGTHS: Mapping[Size, int] = {"tiny": 64, "small": 256, "base": 1024}
SPEECH_WIDTHS: Mapping[Size, int] = {"tiny": 192, "small": 256, "base": 384}  # of a voice
BUCKETS = 2**17  # vectors of n-grams
PIECES: Mapping[Size, int] = {"tiny": 4096, "small": 8192, "base": 16384}

_DATA_DROPOUT = {
    "translate": 0.3,
    "summarize": 0.3,
    "classify": 0.3,
    "labels": 0.3,
    "tag": 0.3,
    "command": 0.2,
    "transcribe": 0.2,
    "speak": 0.2,
}  # at least
_WINDOWS = {"tiny": 32, "small": 64, "base": 32}  # of one step


def training_defaults(
    task: str, kind: str, size: Size, *, fine: bool = False, lora: bool = False
) -> dict[str, Any]:
    """Fields of TrainingConfig for a task and a network, or for one that is tuned further.

    Rates of tuning are those of Devlin et al. 2019, §A.3, and with low-rank updates about ten times
    as much (Hu et al. 2022, §D). Tuning is too short for an average of the weights.
    """
    network, of_task = NETWORKS[kind], TASKS[task].training
    made: dict[str, Any] = {"rate": network.rate[size], **network.training, **of_task}
    if fine:
        made |= {"rate": 3e-4 if lora else 3e-5, "epochs": 3, "weight_decay": 0.01, "warmup": 0.06}
        made |= {"schedule": "cosine", "ema": 0.0}
    return made


def batch_default(task: str, size: Size) -> tuple[int, int]:
    """Examples, or where that is 0 padded tokens, of one step."""
    if TASKS[task].order == "windows":
        return _WINDOWS[size], 0
    return TASKS[task].batch, TASKS[task].batch_tokens


def dropout_default(task: str, kind: str, size: Size) -> float:
    """How much is dropped: more where data are few for the network."""
    return max(NETWORKS[kind].dropout[size], _DATA_DROPOUT.get(task, 0.0))


def model_config(
    kind: str,
    shape: Shape,
    stacks: Stacks,
    *,
    output: str,
    vocabulary: int,
    length: int,
    dropped: Mapping[str, Any],
    source_vocabulary: int = 0,
    labels: tuple[str, ...] = (),
    outputs: int = 0,
    front: FrontConfig | None = None,
    speech: SpeechConfig | None = None,
    pooling: Pooling | Literal[""] = "",
    ngrams: tuple[int, ...] = (),
    buckets: int = 0,
) -> ModelConfig:
    """The description of a network of this kind and shape; raises ConfigError."""
    network = NETWORKS[kind]
    length = 0 if speech is not None else length
    front = None if speech is not None else front
    stack = replace(network.stack(shape, length), **dropped)
    reading = recurrent("gru")(shape, length) if kind == "bahdanau" else stack
    encoder = replace(reading, causal=False, cross=False, front=front, **dropped)
    if ngrams:
        encoder = replace(encoder, ngrams=ngrams, buckets=buckets or BUCKETS)
    head: dict[str, Any] = {
        "output": output,
        "outputs": outputs or len(labels),
        "labels": labels,
        "pooling": pooling or network.pooling,
        "tied": front is None,
        "speech": speech,
    }
    if stacks == "decoder":
        return ModelConfig(vocabulary=vocabulary, decoder=stack, **head)
    if stacks == "encoder":
        return ModelConfig(vocabulary=vocabulary, encoder=encoder, **head)
    return ModelConfig(
        vocabulary=vocabulary,
        source_vocabulary=source_vocabulary,
        shared=not source_vocabulary,
        encoder=encoder,
        decoder=replace(stack, cross=True),
        **head,
    )
