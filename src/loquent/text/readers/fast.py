"""`tokenizer.json`: the format of the `tokenizers` library itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import tokenizers

from loquent.errors import CheckpointError
from loquent.text.documents import parse, read_bytes
from loquent.text.guard import guarded
from loquent.text.readers.charsmap import check_charsmap
from loquent.text.readers.draft import Draft

MAXIMAL_ID = 2**24
_GROWTH = 256  # how many times longer the replacements of a normalizer may make a text
_DEPTH = 8  # of a sequence in a sequence …
_STEPS = 256  # of one part, such as the normalizer
_TEMPLATE = 64  # pieces of a post-processor's template, and ids of each
_PIECE_BYTES = 16 * 2**20  # of a Unigram vocabulary, which takes about 100 bytes of memory for each


class _Added(msgspec.Struct):
    id: int
    content: str


class _Model(msgspec.Struct):
    vocab: dict[str, int] | list[tuple[str, float]]
    type: str | None = None
    max_input_chars_per_word: int = 100
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None


class _Document(msgspec.Struct):
    model: _Model
    added_tokens: list[_Added] | None = None
    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    post_processor: dict[str, Any] | None = None
    decoder: dict[str, Any] | None = None


def read(path: Path) -> Draft:
    """Read a `tokenizer.json`; its padding and truncation are left out, as the engine has its own.

    Raises CheckpointError that names the place of what is wrong.
    """
    where = str(path)
    data = read_bytes(path)
    document = parse(data, _Document, where)
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        _check_part(getattr(document, part), f"{where}: {part}")
    _check_model(document.model, f"{where}: model")
    with guarded(where, "reading"):
        library = tokenizers.Tokenizer.from_buffer(data)
        library.no_padding()
        library.no_truncation()
        if isinstance(library.model, tokenizers.models.BPE):
            library.model.dropout = None  # a training aid: the same text has the same ids
    for token in document.added_tokens or []:
        found = library.token_to_id(token.content)
        if found != token.id:
            raise CheckpointError(
                f"added token {token.content!r} should have id {token.id}, but gets {found}.",
                where=where,
            )
    vocab = document.model.vocab
    last = max(vocab.values(), default=-1) if isinstance(vocab, dict) else len(vocab) - 1
    added = max((token.id for token in document.added_tokens or []), default=-1)
    return Draft(library, where, vocabulary=max(last, added) + 1)


def _check_model(model: _Model, where: str) -> None:
    vocab = model.vocab
    if isinstance(vocab, dict):
        last = max(vocab.values(), default=0)
        if not 0 <= min(vocab.values(), default=0) <= last < MAXIMAL_ID:
            raise CheckpointError(f"an id is not from 0 to {MAXIMAL_ID - 1}.", where=where)
    elif sum(len(piece.encode()) for piece, _ in vocab) > _PIECE_BYTES:
        raise CheckpointError(f"the pieces have over {_PIECE_BYTES} bytes.", where=where)
    if model.max_input_chars_per_word > 1000:
        raise CheckpointError("max_input_chars_per_word is over 1000.", where=where)
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if len(getattr(model, name) or "") > 64:
            raise CheckpointError(f"{name} has over 64 characters.", where=where)


def _check_part(part: dict[str, Any] | None, where: str) -> None:
    """Refuse what would take time or memory beyond all measure when a text is encoded."""
    growth = 1
    for count, (step, depth) in enumerate(_steps(part, 1), start=1):
        if depth > _DEPTH or count > _STEPS:
            raise CheckpointError(f"has over {_STEPS} steps or {_DEPTH} levels.", where=where)
        for name in ("content", "prepend"):
            growth *= max(1, len(str(step.get(name) or "").encode()))
        if growth > _GROWTH:
            raise CheckpointError(f"makes a text over {_GROWTH} times longer.", where=where)
        if "precompiled_charsmap" in step:
            check_charsmap(step["precompiled_charsmap"], where)
        if step.get("type") == "TemplateProcessing":
            _check_template(step, where)


def _steps(part: object, depth: int) -> Iterator[tuple[dict[str, Any], int]]:
    if isinstance(part, dict):
        yield part, depth
        if depth <= _DEPTH:
            for value in part.values():
                if isinstance(value, list):
                    for inner in value:
                        yield from _steps(inner, depth + 1)


def _check_template(step: dict[str, Any], where: str) -> None:
    special = step.get("special_tokens")
    tokens = special.values() if isinstance(special, dict) else []
    lists = [step.get("single"), step.get("pair")]
    lists += [token.get("ids") for token in tokens if isinstance(token, dict)]
    if any(isinstance(each, list) and len(each) > _TEMPLATE for each in lists):
        raise CheckpointError(f"a template has over {_TEMPLATE} pieces.", where=where)
