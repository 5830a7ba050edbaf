"""Conversations: the network learns the assistant's turns, exactly as the chat template has them.

Training sees the ids that `LM.chat` will see: one renderer makes both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from loquent.data.example import Example
from loquent.data.reading import Record
from loquent.errors import DataError, UserError
from loquent.tasks.task import Reading, Task, Texts, array, only, text_of
from loquent.text.framing import ids_of
from loquent.text.template import ChatTemplate
from loquent.text.tokenizer import Tokenizer

Messages = Sequence[Mapping[str, Any]]
Learned = tuple[list[int], list[bool]]  # ids, and which of them are learned

TURNS = ("<|im_start|>", "<|im_end|>")

# The layout of OpenAI's ChatML, for tokenizers that have its two tokens.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The same in plain words, for those that have not; an answer ends with the end token.
WORDS = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@dataclass(frozen=True)
class Turns:
    """A rendered conversation and the spans of characters that are learned."""

    text: str
    spans: tuple[tuple[int, int], ...]


def template_for(tokenizer: Tokenizer) -> ChatTemplate:
    """The tokenizer's own template, or the one of the two here that it can spell."""
    if tokenizer.template is not None:
        return tokenizer.template
    if all(tokenizer.id(piece) is not None for piece in TURNS):
        return ChatTemplate(CHATML, where="ChatML")
    end = tokenizer.piece(tokenizer.end) if tokenizer.end is not None else ""
    return ChatTemplate(WORDS, pieces={"eos_token": end}, where="plain turns")


def turns(template: ChatTemplate, messages: Messages, tools: Any = None) -> Iterator[Turns]:
    """A conversation as the template has it, and where the assistant speaks.

    Most templates render a conversation so that it begins like each shorter one. Where one renders
    an earlier answer otherwise once more follows, such as without its reasoning, that answer is a
    conversation of its own, as it is when the model writes it. A message of `weight` 0 is not
    learned, nor is an answer to nothing, which no prompt stands before.
    """
    whole = template.render(messages, tools=tools, add_generation_prompt=False)
    spans = []
    for place, message in enumerate(messages):
        if message.get("role") != "assistant" or message.get("weight") == 0 or not place:
            continue
        before = template.render(messages[:place], tools=tools, add_generation_prompt=True)
        after = template.render(messages[: place + 1], tools=tools, add_generation_prompt=False)
        if not after.startswith(before):
            raise DataError(
                f"the chat template renders message {place + 1} otherwise than it asks for it.",
                where=template.where,
                fix="Its text must go on from where add_generation_prompt ends.",
            )
        span = len(before), len(after)
        if whole.startswith(after):
            spans.append(span)
        else:
            yield Turns(after, (span,))
    if spans:
        yield Turns(whole, tuple(spans))


def encoded(tokenizer: Tokenizer, made: Turns) -> Learned:
    """The ids of a conversation; learned are the answers, up to the token that ends the turn.

    What the template puts behind that token is never written by the model. Where a token would
    reach over the start or end of an answer, the text is encoded piece by piece, as it is when the
    model goes on from a prompt.
    """
    edges = [edge for span in made.spans for edge in span]
    whole = tokenizer.encode(made.text, special=False)
    cuts = [_cut(tokenizer, whole, made.text[:edge]) for edge in edges]
    places = [0, *(cut for cut in cuts if cut is not None), len(whole)]
    parts = [whole[start:end] for start, end in pairwise(places)]
    if None in cuts:
        bounds = [0, *edges, len(made.text)]
        texts = [made.text[start:end] for start, end in pairwise(bounds)]
        parts = [tokenizer.encode(text, special=False) for text in texts]
    ids: list[int] = []
    learned: list[bool] = []
    for number, part in enumerate(parts):
        ids += part
        written = _written(part, tokenizer.ends) if number % 2 else 0
        learned += [True] * written + [False] * (len(part) - written)
    return ids, learned


def prompted(tokenizer: Tokenizer, prompt: str, completion: str) -> Learned:
    """The ids of a prompt and what follows it, without a template; only the latter is learned."""
    before = ids_of(tokenizer, prompt, begin=tokenizer.adds_begin)
    after = ids_of(tokenizer, completion, end=True)
    return [*before, *after], [False] * len(before) + [True] * len(after)


def _cut(tokenizer: Tokenizer, whole: list[int], before: str) -> int | None:
    """How many ids of the whole text are those of its start, if it begins with them."""
    ids = tokenizer.encode(before, special=False)
    return len(ids) if whole[: len(ids)] == ids else None


def _written(part: list[int], ends: frozenset[int]) -> int:
    """How many ids of an answer the model itself writes: up to the first that ends it."""
    return next((place + 1 for place, id in enumerate(part) if id in ends), len(part))


def _examples(records: Iterable[Record], reading: Reading) -> Iterator[Example]:
    tokenizer = reading.tokenizer
    template = template_for(tokenizer)
    for record in records:
        for ids, learned in _learned(tokenizer, template, record):
            yield Example(array(ids), np.array(learned, np.bool_), index=record.index)


def _learned(tokenizer: Tokenizer, template: ChatTemplate, record: Record) -> list[Learned]:
    """A prompt and its completion stay plain text where the model has no chat template."""
    values = record.values
    if "messages" in values:
        messages: Messages = values["messages"]
    elif tokenizer.template is None:
        return [prompted(tokenizer, text_of(record, "prompt"), text_of(record, "completion"))]
    else:
        asked, told = text_of(record, "prompt"), text_of(record, "completion")
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]
    try:
        found = list(turns(template, messages, values.get("tools")))
    except UserError as fault:
        raise DataError(str(fault), where=record.where) from fault
    if not found:
        raise DataError(
            "has no answer to learn.",
            where=record.where,
            fix="A conversation needs a message of the assistant behind one of the user.",
        )
    return [encoded(tokenizer, each) for each in found]


def _texts(record: Record) -> tuple[Texts, Texts]:
    if "messages" not in record.values:
        return (), (text_of(record, "prompt"), text_of(record, "completion"))
    contents = (message.get("content") for message in record.values["messages"])
    return (), tuple(each for each in contents if isinstance(each, str))


CHAT = Task(
    name="chat",
    does="answer conversations, or continue prompts; only the answers are learned",
    stacks="decoder",
    output="token",
    network="transformer",
    order="bucket",
    metrics=("loss", "perplexity"),
    batch=16,
    training={"epochs": 3},
    special=TURNS,
    normal=only("messages", "prompt"),
    texts=_texts,
    examples=_examples,
    template=template_for,
)
