"""A language model: a checkpoint and an engine with text at both ends."""

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from threading import RLock
from types import TracebackType
from typing import Unpack, overload

import numpy as np
from numpy.typing import NDArray

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.engine.drafts import Drafter
from loquent.engine.engine import Engine
from loquent.engine.request import Request, Sampling
from loquent.errors import CheckpointError, RequestError
from loquent.lm.answer import Answer, Likelihood
from loquent.lm.executor import Executor
from loquent.lm.likelihood import likelihood, teacher_forced
from loquent.lm.options import Options, chosen
from loquent.lm.reading import Reading, check_writes, embed_texts, read_texts
from loquent.lm.requests import (
    Message,
    Prompt,
    advised,
    begin_of,
    request_of,
    source_of,
    target_ids,
)
from loquent.lm.stream import Follower, Stream
from loquent.text.encoding import Texts, Truncate
from loquent.text.tokenizer import Tokenizer

KEPT_BYTES = 256 << 20  # of keys and values, for prompts that begin alike


class LM:
    """A model that writes, or that reads whole texts; several threads may share it."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        executor: Executor,
        *,
        rows: int = 32,
        drafter: Drafter | None = None,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.checkpoint = checkpoint
        self.executor = executor
        self.network = executor.network
        self._rows, self._drafter, self._kept_bytes = rows, drafter, kept_bytes
        self._streams: dict[Request, Follower] = {}
        self._lock = RLock()

    def __enter__(self) -> "LM":
        """Use as a context; nothing is left open after it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is still being written."""
        for stream in list(self._streams.values()):
            stream.cancel()

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer; raises CheckpointError where it has none."""
        if self.checkpoint.tokenizer is None:
            raise CheckpointError(
                "has no tokenizer.",
                where=self.checkpoint.card.name,
                fix="Put its tokenizer.json beside its weights.",
            )
        return self.checkpoint.tokenizer

    @overload
    def generate(  # type: ignore[overload-overlap]  # a str is a sequence of str, but comes first
        self,
        prompts: str,
        sampling: Sampling | None = None,
        *,
        stop: Sequence[str] = (),
        truncate: Truncate | None = None,
        **options: Unpack[Options],
    ) -> Answer: ...

    @overload
    def generate(
        self,
        prompts: Sequence[str],
        sampling: Sampling | None = None,
        *,
        stop: Sequence[str] = (),
        truncate: Truncate | None = None,
        **options: Unpack[Options],
    ) -> list[Answer]: ...

    def generate(
        self,
        prompts: str | Sequence[str],
        sampling: Sampling | None = None,
        *,
        stop: Sequence[str] = (),
        truncate: Truncate | None = None,
        **options: Unpack[Options],
    ) -> Answer | list[Answer]:
        """Continue one text, or several at a time; `options` are the fields of `Sampling`.

        A model with an encoder and a decoder turns each text into another instead. Where nothing
        else is asked for it writes as its makers advise (length, beams and the like), and what they
        demand of every answer holds in any case, such as its first token.

        Raises RequestError for a prompt that is too long, unless `truncate` says which end to drop.
        """
        if isinstance(prompts, str):
            stream = self.stream(prompts, sampling, stop=stop, truncate=truncate, **options)
            return stream.finished()
        made = chosen(sampling, options, advised(self))
        requests = [request_of(self, prompt, made, truncate, None) for prompt in prompts]
        streams = [self._submit(request, stop, dropped) for request, dropped in requests]
        try:
            return [stream.finished() for stream in streams]
        finally:
            for stream in streams:
                stream.cancel()

    def chat(
        self,
        messages: Sequence[Message],
        sampling: Sampling | None = None,
        *,
        tools: Sequence[Message] | None = None,
        stop: Sequence[str] = (),
        truncate: Truncate | None = None,
        **options: Unpack[Options],
    ) -> Answer:
        """Answer a conversation: messages with `role` and `content`, as the model's template is.

        Raises RequestError as `generate` does, and CheckpointError for a model without a template.
        """
        return self.stream(
            messages, sampling, tools=tools, stop=stop, truncate=truncate, **options
        ).finished()

    def stream(
        self,
        prompt: Prompt,
        sampling: Sampling | None = None,
        *,
        tools: Sequence[Message] | None = None,
        stop: Sequence[str] = (),
        truncate: Truncate | None = None,
        **options: Unpack[Options],
    ) -> Stream:
        """The same as `generate` or `chat`, piece by piece; the stream's `answer` is the whole."""
        made = chosen(sampling, options, advised(self))
        request, dropped = request_of(self, prompt, made, truncate, tools)
        return self._submit(request, stop, dropped)

    def logits(
        self, ids: Sequence[Sequence[int]], sources: Sequence[Sequence[int]] | None = None
    ) -> NDArray[np.float32]:
        """Logits (B, T, V) of every next token, teacher-forced; `ids` is B rows of T tokens.

        `sources` are the ids that an encoder reads before each row.
        """
        for row in ids:
            self._check(row)
        if (sources is None) != (self.network.config.encoder is None):
            raise RequestError("sources are given exactly where there is an encoder.")
        if sources is not None and len(sources) != len(ids):
            raise RequestError(f"there are {len(sources)} sources for {len(ids)} rows.")
        return teacher_forced(self.network, ids, sources)

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood]:
        """How likely each continuation is after its context, both as text.

        Of a model that turns a text into another: how likely it makes the second text of the first,
        its end included. Of others: spaces at the end of a context count as the start of the
        continuation, as in running text.
        """
        made = []
        for context, continuation in pairs:
            if self.network.config.encoder is not None:
                source, _ = source_of(self, context)
                target = target_ids(self, continuation)
                self._check(target)
                made.append(likelihood(self.network, target[:1], target[1:], source))
                continue
            kept = context.rstrip()
            before = self.tokenizer.encode(kept) or [begin_of(self.tokenizer)]
            whole = self.tokenizer.encode(context + continuation)
            if not kept and whole[:1] != before:
                whole = before + whole
            self._check(whole)
            made.append(likelihood(self.network, before, whole[len(before) :]))
        return made

    def read(
        self,
        texts: Sequence[Texts],
        *,
        hidden_only: bool = False,
        truncate: Truncate | None = None,
    ) -> list[Reading]:
        """What the model tells of each text or pair: logits of classes, tags, spans or words.

        With `hidden_only` a model that fills in hidden words tells of those alone. Raises
        RequestError for a model that writes, and for a text that is too long, unless `truncate`
        says which end to drop; the reading tells how much that was.
        """
        return read_texts(self, texts, hidden_only=hidden_only, truncate=truncate)

    def embed(
        self,
        texts: Sequence[str],
        *,
        normalize: bool = True,
        prompt: str = "",
        truncate: Truncate | None = None,
    ) -> NDArray[np.float32]:
        """Embeddings (N, D) of texts, near to each other where they mean much the same.

        `prompt` is the name of a text that the model's makers want before texts of some kind, such
        as "query". Raises RequestError for a model that does not embed, and for long texts as
        `read` does.
        """
        return embed_texts(self, texts, normalize=normalize, prompt=prompt, truncate=truncate)

    def follow(self, follower: Follower) -> None:
        """Let the engine begin with a request; its follower is told all that comes of it."""
        with self._lock:
            self._engine.submit(follower.request)
            self._streams[follower.request] = follower

    def advance(self, stream: Follower) -> None:
        """One step of the engine, for all that are waiting; the pieces reach their streams."""
        with self._lock:
            if stream.done:
                return  # another thread went on for it
            for request, events in groupby(self._engine.step(), lambda event: event.request):
                reader = self._streams.get(request)
                for event in events:
                    if reader is not None:
                        reader.take(event)
                if reader is not None and reader.done:
                    del self._streams[request]

    def end(self, request: Request, index: int) -> None:
        """One answer is complete as it stands: its row is free for others."""
        with self._lock:
            self._engine.finish(request, index)

    def cancel(self, stream: Follower) -> None:
        """Nobody waits for the rest of this stream."""
        with self._lock:
            if self._streams.pop(stream.request, None):
                self._engine.cancel(stream.request)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(
            self.network, rows=self._rows, drafter=self._drafter, kept_bytes=self._kept_bytes
        )

    @property
    def context(self) -> int:
        """How many tokens the model reads at most, prompt and answer together; 0: any number.

        Of a model that turns a text into another it is how long an answer can be.
        """
        decoder = self.network.config.decoder
        return decoder.length if decoder else 0

    def _check(self, ids: Sequence[int]) -> None:
        check_writes(self.network.config)
        limit = self.network.config.vocabulary
        wrong = [each for each in ids if not 0 <= each < limit]
        if wrong:
            raise RequestError(f"token id {wrong[0]} is not from 0 to {limit - 1}.")
        if not ids:
            raise RequestError("a row needs one token at least.")
        if self.context and len(ids) > self.context:
            raise RequestError(
                f"a text has {len(ids)} tokens, but the model reads {self.context} at most."
            )

    def _submit(self, request: Request, stops: Sequence[str], dropped: int) -> Stream:
        stream = Stream(self, request, self.tokenizer, stops, dropped)
        self.follow(stream)
        return stream
