"""The applications as single calls: texts in, results out, by the model that fits or is named."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from loquent.lm.lm import LM
from loquent.lm.opening import open
from loquent.tasks import (
    answering,
    classifying,
    embedding,
    filling,
    searching,
    summarizing,
    translating,
)
from loquent.tasks.answering import Answered
from loquent.tasks.classifying import Classified
from loquent.tasks.defaults import chosen
from loquent.tasks.filling import Filled
from loquent.tasks.searching import Hit
from loquent.tasks.summarizing import Summary
from loquent.tasks.translating import Translation
from loquent.text.encoding import Truncate
from loquent.text.languages import identify

Model = str | Path | LM | None
Made = TypeVar("Made")


class Classifying(TypedDict, total=False):
    """What `tasks.classifying.classify` takes."""

    labels: Sequence[str]
    several: bool
    template: str
    temperature: float
    threshold: float
    truncate: Truncate | None


class Summarizing(TypedDict, total=False):
    """What `tasks.summarizing.summarize` takes."""

    how: summarizing.How
    words: int
    sentences: int
    prefix: str | None
    piece_tokens: int
    most_pieces: int
    beams: int
    truncate: Truncate | None


class Translating(TypedDict, total=False):
    """What `tasks.translating.translate` takes beside the languages."""

    markdown: bool
    terms: Mapping[str, str] | None
    prefix: str | None
    beams: int
    most_sentences: int


class Answering(TypedDict, total=False):
    """What `tasks.answering.answer` takes."""

    overlap: int
    longest: int
    threshold: float
    max_tokens: int
    most_windows: int
    truncate: Truncate | None


@overload
def classify(  # type: ignore[overload-overlap]  # a str is a sequence of str, but comes first
    texts: str, *, model: Model = None, **options: Unpack[Classifying]
) -> Classified: ...
@overload
def classify(
    texts: Sequence[str], *, model: Model = None, **options: Unpack[Classifying]
) -> list[Classified]: ...
def classify(
    texts: str | Sequence[str], *, model: Model = None, **options: Unpack[Classifying]
) -> Classified | list[Classified]:
    """The class of a text, or of each of several: of a trained model, or one of `labels`.

    `model` is an open LM or a name as `loquent.open` takes it; None: the catalogue's for this.
    Options and errors are those of `loquent.tasks.classifying.classify`.
    """
    lm = opened(model, "label" if options.get("labels") else "classify", _language(texts))
    return _each(texts, lambda given: classifying.classify(lm, given, **options))


@overload
def summarize(  # type: ignore[overload-overlap]
    texts: str, *, model: Model = None, **options: Unpack[Summarizing]
) -> Summary: ...
@overload
def summarize(
    texts: Sequence[str], *, model: Model = None, **options: Unpack[Summarizing]
) -> list[Summary]: ...
def summarize(
    texts: str | Sequence[str], *, model: Model = None, **options: Unpack[Summarizing]
) -> Summary | list[Summary]:
    """A summary of a text, or of each of several; `how` "lead" and "central" need no model.

    `model` is as in `classify`. Options and errors are those of
    `loquent.tasks.summarizing.summarize`.
    """
    needed = options.get("how", "model") == "model"
    lm = opened(model, "summarize") if needed else None
    return _each(texts, lambda given: summarizing.summarize(lm, given, **options))


@overload
def translate(  # type: ignore[overload-overlap]
    texts: str,
    *,
    target: str,
    source: str = "",
    model: Model = None,
    **options: Unpack[Translating],
) -> Translation: ...
@overload
def translate(
    texts: Sequence[str],
    *,
    target: str,
    source: str = "",
    model: Model = None,
    **options: Unpack[Translating],
) -> list[Translation]: ...
def translate(
    texts: str | Sequence[str],
    *,
    target: str,
    source: str = "",
    model: Model = None,
    **options: Unpack[Translating],
) -> Translation | list[Translation]:
    """The translation of a text, or of each of several, into the language `target`, such as "de".

    `model` is as in `classify`, and without `source` the language is found by looking. Options and
    errors are those of `loquent.tasks.translating.translate`.
    """
    target = translating.code_of(target)
    first = [translating.code_of(source)] if source else _language(texts)
    lm = opened(model, "translate", [*first, target])
    return _each(
        texts,
        lambda given: translating.translate(lm, given, target=target, source=source, **options),
    )


def answer(
    question: str, text: str, *, model: Model = None, **options: Unpack[Answering]
) -> Answered:
    """The answer to a question about a text, and where in the text it stands.

    `model` is as in `classify`. Options and errors are those of `loquent.tasks.answering.answer`.
    """
    lm = opened(model, "answer")
    return answering.answer(lm, [(question, text)], **options)[0]


@overload
def fill(  # type: ignore[overload-overlap]
    texts: str, *, model: Model = None, top: int = filling.TOP, truncate: Truncate | None = None
) -> Filled: ...
@overload
def fill(
    texts: Sequence[str],
    *,
    model: Model = None,
    top: int = filling.TOP,
    truncate: Truncate | None = None,
) -> list[Filled]: ...
def fill(
    texts: str | Sequence[str],
    *,
    model: Model = None,
    top: int = filling.TOP,
    truncate: Truncate | None = None,
) -> Filled | list[Filled]:
    """The `top` likeliest words in each place of a text that is marked `<mask>` or `[MASK]`.

    `model` is as in `classify`. Errors are those of `loquent.tasks.filling.fill`.
    """
    lm = opened(model, "fill")
    return _each(texts, lambda given: filling.fill(lm, given, top=top, truncate=truncate))


def embed(
    texts: str | Sequence[str],
    *,
    model: Model = None,
    normalize: bool = True,
    prompt: str = "",
    truncate: Truncate | None = None,
) -> NDArray[np.float32]:
    """The embedding (D,) of a text, or those (N, D) of several; texts that mean much are near.

    `model` is as in `classify`. Options and errors are those of
    `loquent.tasks.embedding.embed`.
    """
    lm = opened(model, "embed")
    given = [texts] if isinstance(texts, str) else texts
    made = embedding.embed(lm, given, normalize=normalize, prompt=prompt, truncate=truncate)
    if isinstance(texts, str):
        return made[0].vector
    width = lm.network.config.outputs or lm.network.config.top.width
    return np.array([each.vector for each in made], np.float32).reshape(-1, width)


def search(folder: Path | str, query: str, *, model: Model = None, top: int = 5) -> list[Hit]:
    """The `top` passages in the files of a folder that mean most nearly what a query says.

    `model` is as in `classify`. The index stays in the folder (loquent.tasks.searching); errors
    are those of `index` and `search` there.
    """
    lm = opened(model, "embed")
    return searching.search(lm, searching.index(lm, folder), query, top=top)


def opened(model: Model, application: str, languages: Sequence[str] = ()) -> LM:
    """The model that is given, named, or the catalogue's for an application in some languages."""
    if isinstance(model, LM):
        return model
    return open(model if model is not None else chosen(application, languages).name)


def _language(texts: str | Sequence[str]) -> list[str]:
    """The language of the first text, where that can be told."""
    first = texts if isinstance(texts, str) else next(iter(texts), "")
    code = identify(first).code
    return [code] if code else []


def _each(
    texts: str | Sequence[str], made: Callable[[Sequence[str]], list[Made]]
) -> Made | list[Made]:
    """One result for one text, and a list for several."""
    return made([texts])[0] if isinstance(texts, str) else made(texts)
