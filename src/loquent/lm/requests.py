"""From a prompt to a request: a text to continue or turn into another, or a conversation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from loquent.architecture import ModelConfig
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.generation import Generation
from loquent.engine.network import Network
from loquent.engine.request import Request, Sampling
from loquent.errors import CheckpointError, RequestError
from loquent.lm.reading import cannot, check_writes
from loquent.text.encoding import Truncate, encoded
from loquent.text.framing import start_of, target_of
from loquent.text.tokenizer import Tokenizer

Message = Mapping[str, Any]
Prompt = str | Sequence[Message]  # a text to continue or turn into another, or a conversation
_FIX = "Shorten it, or drop its start or end with truncate 'left' or 'right'."


class Writer(Protocol):
    """What making requests needs of a language model."""

    checkpoint: Checkpoint
    network: Network

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""


def request_of(
    lm: Writer,
    prompt: Prompt,
    sampling: Sampling,
    truncate: Truncate | None,
    tools: Sequence[Message] | None,
) -> tuple[Request, int]:
    """The request for a prompt, and how many tokens of it were dropped.

    Raises RequestError for a prompt that is too long, unless `truncate` says which end to drop, and
    CheckpointError for a conversation with a model that has no template.
    """
    config = lm.network.config
    check_writes(config)
    if config.reads_sound:
        raise cannot(config, "continue a text")
    sampling = ruled(sampling, lm.checkpoint.generation)
    ends = lm.tokenizer.ends | frozenset(lm.checkpoint.generation.stop)
    ends = frozenset() if sampling.ignore_end else ends
    if config.encoder is None:
        ids, dropped = _fitting(_ids(lm, prompt, tools), config, sampling, truncate)
        return Request(ids, sampling, ends), dropped
    if not isinstance(prompt, str):
        raise cannot(config, "chat")
    source, dropped = source_of(lm, prompt, truncate)
    return Request([decoder_start(lm)], sampling, ends, source), dropped


def advised(lm: Writer) -> Mapping[str, Any]:
    """How a model that turns a text into another writes where nothing else is asked for.

    What its makers advise, and the likeliest token at each place. What others write with is not
    theirs to say: it has always been `Sampling`'s own defaults.
    """
    if lm.network.config.encoder is None:
        return {}
    return {"temperature": 0.0, **lm.checkpoint.generation.sampling}


def ruled(sampling: Sampling, generation: Generation) -> Sampling:
    """Sampling with what a model's makers demand of every answer, where it does not say itself."""
    first, last = sampling.forced_first, sampling.forced_last
    return replace(
        sampling,
        banned=(*sampling.banned, *generation.banned),
        forced_first=generation.forced_first if first is None else first,
        forced_last=generation.forced_last if last is None else last,
    )


def source_of(lm: Writer, text: str, truncate: Truncate | None = None) -> tuple[list[int], int]:
    """What an encoder reads of a text, and how many tokens were dropped; raises RequestError."""
    tokenizer = lm.checkpoint.source_tokenizer or lm.tokenizer
    made = encoded(tokenizer, [text], parse_special=True)[0]
    encoder = lm.network.config.encoder
    limit = encoder.length if encoder is not None else 0
    if limit and len(made.ids) > limit:
        if truncate is None:
            what = f"the text has {len(made.ids)} tokens, but the model reads {limit} at most."
            raise RequestError(what, fix=_FIX)
        made = made.cut(limit, truncate)
    return made.ids or [start_of(tokenizer)], made.dropped


def target_ids(lm: Writer, text: str) -> list[int]:
    """What a decoder behind an encoder reads and learns of a text: its start, the text, its end."""
    return target_of(lm.tokenizer, text, decoder_start(lm))


def decoder_start(lm: Writer) -> int:
    """The id that a decoder behind an encoder begins with."""
    generation = lm.checkpoint.generation
    said = generation.decoder_start
    said = generation.start if said is None else said
    return start_of(lm.tokenizer) if said is None else said


def _fitting(
    ids: list[int], config: ModelConfig, sampling: Sampling, truncate: Truncate | None
) -> tuple[list[int], int]:
    """A prompt that leaves room for an answer, and how many tokens of it were dropped."""
    limit = config.top.length
    if not limit or len(ids) < limit:
        return ids, 0
    if truncate is None:
        raise RequestError(
            f"the prompt has {len(ids)} tokens, but the model reads {limit} at most, "
            "the answer included.",
            fix=_FIX,
        )
    kept = max(1, limit - sampling.max_tokens)
    dropped = len(ids) - kept
    return (ids[dropped:] if truncate == "left" else ids[:kept]), dropped


def _ids(lm: Writer, prompt: Prompt, tools: Sequence[Message] | None) -> list[int]:
    if isinstance(prompt, str):
        return lm.tokenizer.encode(prompt) or [begin_of(lm.tokenizer)]
    template = lm.tokenizer.template
    if template is None:
        raise CheckpointError(
            "has no chat template.",
            where=lm.checkpoint.card.name,
            fix="Give it text to continue instead, or choose a model that was made to chat.",
        )
    text = template.render(prompt, tools=tools)
    return lm.tokenizer.encode(text, special=False, parse_special=True)


def begin_of(tokenizer: Tokenizer) -> int:
    """What an empty text is read as; raises RequestError where there is nothing for it."""
    start = tokenizer.begin if tokenizer.begin is not None else tokenizer.end
    if start is None:
        raise RequestError("the prompt is empty, and this model has no token to begin with.")
    return start
