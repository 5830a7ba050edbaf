"""What a model tells of whole texts: classes, tags, spans, hidden words, embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from loquent.architecture import ModelConfig, Output
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.engine.network import Network, Reader, Text, Values
from loquent.errors import RequestError, nearest
from loquent.text.encoding import Encoding, Texts, Truncate, encoded
from loquent.text.tokenizer import Tokenizer

_DOES: Mapping[Output, str] = {
    "masked": "fills in hidden words (LM.read)",
    "class": "tells the class of a text (LM.read)",
    "labels": "tells which labels a text has (LM.read)",
    "tags": "tells the tag of each token (LM.read)",
    "span": "tells where in a text an answer stands (LM.read)",
    "ctc": "tells the tokens of a sequence (LM.read)",
    "embedding": "embeds texts (LM.embed)",
    "speech": "speaks (loquent.speak)",
}


@dataclass(frozen=True)
class Reading:
    """What a model tells of one text, and how it read it."""

    values: Values  # as `engine.network.Reader.read` has them
    encoding: Encoding  # ids, and the characters that each stands for

    @property
    def dropped_tokens(self) -> int:
        """Tokens that were left out because the text was too long."""
        return self.encoding.dropped


class Whole(Protocol):
    """What reading needs of a language model."""

    checkpoint: Checkpoint
    network: Network

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""


def does(config: ModelConfig) -> str:
    """What a model can be asked for, in words."""
    if config.output == "token":
        if config.decoder is None:
            return "gives states of tokens only, and answers nothing"
        if config.reads_sound:
            return "writes down what was said (loquent.transcribe)"
        writes = "turns a text into another" if config.encoder is not None else "continues texts"
        return f"{writes} (LM.generate)"
    return _DOES[config.output]


def cannot(config: ModelConfig, what: str) -> RequestError:
    """The error about a model that was asked for what it cannot do."""
    return RequestError(f"this model does not {what}: it {does(config)}.")


def check_writes(config: ModelConfig) -> None:
    """Raise RequestError for a model that writes no tokens."""
    if config.output != "token" or config.decoder is None:
        raise cannot(config, "write")


def read_texts(
    lm: Whole, texts: Sequence[Texts], *, hidden_only: bool, truncate: Truncate | None
) -> list[Reading]:
    """As `LM.read`."""
    config = lm.network.config
    both = config.encoder is not None and config.decoder is not None
    if config.output == "token" or both:
        raise cannot(config, "tell anything of a whole text")
    encodings = _fitting(lm, texts, truncate)
    mask = lm.tokenizer.mask if hidden_only else None
    given = [
        _text(
            each,
            config,
            [at for at, id in enumerate(each.ids) if id == mask] if hidden_only else None,
        )
        for each in encodings
    ]
    values = cast(Reader, lm.network).read(given)
    return [Reading(*pair) for pair in zip(values, encodings, strict=True)]


def embed_texts(
    lm: Whole, texts: Sequence[str], *, normalize: bool, prompt: str, truncate: Truncate | None
) -> NDArray[np.float32]:
    """As `LM.embed`."""
    config = lm.network.config
    if config.output != "embedding":
        raise cannot(config, "embed texts")
    start = _prompt(lm.checkpoint, prompt)
    encodings = _fitting(lm, [start + text for text in texts], truncate)
    values = cast(Reader, lm.network).read([_text(each, config, None) for each in encodings])
    made = np.stack(values) if values else np.zeros((0, config.outputs or config.top.width))
    made = made.astype(np.float32, copy=False)
    if normalize:
        made /= np.maximum(np.sqrt(np.square(made).sum(-1, keepdims=True)), 1e-12)
    return made


def reading_length(checkpoint: Checkpoint) -> int:
    """How many tokens of a text are read at most, special ones included; 0: any number."""
    limits = [checkpoint.config.top.length]
    if checkpoint.sentences is not None:
        limits.append(checkpoint.sentences.length)
    return min((limit for limit in limits if limit), default=0)


def _fitting(lm: Whole, texts: Sequence[Texts], truncate: Truncate | None) -> list[Encoding]:
    """Texts as ids; those that are too long are cut, or told where nobody asked for that."""
    hides = lm.network.config.output == "masked"
    encodings = encoded(lm.tokenizer, texts, parse_special=hides)
    limit = reading_length(lm.checkpoint)
    long = [number for number, each in enumerate(encodings) if limit and len(each.ids) > limit]
    if long and truncate is None:
        more = f" ({len(long) - 1} more are too long)" if len(long) > 1 else ""
        raise RequestError(
            f"text {long[0] + 1} has {len(encodings[long[0]].ids)} tokens, but the model reads "
            f"{limit} at most{more}.",
            fix="Shorten it, or drop its start or end with truncate 'left' or 'right'.",
        )
    for number in long:
        encodings[number] = encodings[number].cut(limit, truncate or "right")
    return encodings


def _text(encoding: Encoding, config: ModelConfig, wanted: Sequence[int] | None) -> Text:
    segments = encoding.segments if config.top.segments > 1 else None
    return Text(encoding.ids, segments, wanted)


def _prompt(checkpoint: Checkpoint, name: str) -> str:
    """What is put before a text: the prompt of that name, or the one that is always put there."""
    sentences = checkpoint.sentences
    prompts = sentences.prompts if sentences is not None else {}
    name = name or (sentences.prompt if sentences is not None else "")
    if name and name not in prompts:
        known = ", ".join(prompts) or "none"
        fix = nearest(name, prompts)
        raise RequestError(f"there is no prompt {name!r}; this model has: {known}.", fix=fix)
    return prompts[name] if name else ""
