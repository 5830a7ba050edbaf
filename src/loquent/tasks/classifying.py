"""The class of a text: by a trained head, or among given names without any training.

Without training, a model that embeds tells which name is nearest to the text, and one that writes
tells which name it would write; both are held against what a text without content gets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from loquent.errors import RequestError, UsageError, nearest, together
from loquent.lm.lm import LM
from loquent.lm.reading import does, reading_length
from loquent.tasks.fitting import checked, fitted, readable
from loquent.text.encoding import Texts, Truncate

How = Literal["head", "similarity", "likelihood"]
Logits = NDArray[np.float64]  # (N, C)

ABOUT = "This text is about {}."  # what a name of a class is embedded as
PROMPT = "{text}\n\nIn one word, the text above is:"  # what a language model continues with a name
# Held against: the mean of these (Zhao et al. 2021, "Calibrate Before Use", §5).
CONTENT_FREE = ("N/A", "", "[MASK]")
SCALE = 20.0  # of cosines, by which Sentence Transformers are trained (the inverse temperature)


@dataclass(frozen=True)
class Classified:
    """What class a text is of, and how sure the model is."""

    label: str  # the likeliest; "" where several may hold and none does
    labels: tuple[str, ...]  # all that hold: one class, or those at or above the threshold
    probabilities: Mapping[str, float]
    how: How
    dropped_tokens: int = 0

    @property
    def probability(self) -> float:
        """That of the label; of the likeliest one where none holds."""
        return self.probabilities.get(self.label, max(self.probabilities.values()))

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "label": self.label,
            "labels": list(self.labels),
            "probability": round(self.probability, 6),
            "probabilities": {name: round(each, 6) for name, each in self.probabilities.items()},
            "how": self.how,
            "dropped_tokens": self.dropped_tokens,
        }


@dataclass(frozen=True)
class Told:
    """Logits of every class before they become probabilities, and how they came about."""

    names: tuple[str, ...]
    logits: Logits  # (N, C)
    how: How
    several: bool  # whether each class is told by itself
    dropped: tuple[int, ...]  # tokens of each text

    def probabilities(self, temperature: float = 1.0) -> Logits:
        """(N, C): of each class by itself where several may hold, else together 1."""
        wide = self.logits / temperature
        if self.several:
            with np.errstate(over="ignore"):
                each: Logits = 1 / (1 + np.exp(-wide))
            return each
        wide = np.exp(wide - wide.max(axis=1, keepdims=True))
        made: Logits = wide / wide.sum(axis=1, keepdims=True)
        return made


def classify(
    lm: LM,
    texts: Sequence[Texts],
    *,
    labels: Sequence[str] = (),
    several: bool = False,
    template: str = "",
    temperature: float = 1.0,
    threshold: float = 0.5,
    truncate: Truncate | None = None,
) -> list[Classified]:
    """The class of each text or pair of texts.

    A model with a trained head needs no `labels`; with them it chooses among these alone. Other
    models choose among `labels`, of which `several` may hold: all that reach `threshold`.
    `template` is what names are put into: "{}" for a model that embeds, "{text}" for one that
    writes. `temperature` divides the logits (tasks/calibrating.py finds it). Raises RequestError
    for empty and long texts, unless `truncate` says which end to drop, and for unknown labels.
    """
    if not temperature > 0:
        raise UsageError(f"temperature must be above 0, not {temperature!r}.")
    told = tell(lm, texts, labels=labels, several=several, template=template, truncate=truncate)
    chances = told.probabilities(temperature)
    return [
        _classified(told, row, dropped, threshold)
        for row, dropped in zip(chances, told.dropped, strict=True)
    ]


def tell(
    lm: LM,
    texts: Sequence[Texts],
    *,
    labels: Sequence[str] = (),
    several: bool = False,
    template: str = "",
    truncate: Truncate | None = None,
) -> Told:
    """The logits that `classify` makes probabilities of; arguments and errors are the same."""
    names = _names(labels)
    for text in texts:
        for part in (text,) if isinstance(text, str) else text:
            readable(lm.tokenizer, checked(part))
    output = lm.network.config.output
    if output in ("class", "labels"):
        return _by_head(lm, texts, names, truncate)
    if not names:
        raise UsageError(
            f"this model has no classes of its own: it {does(lm.network.config)}.",
            fix="Give labels, such as good,bad – or choose a model that was trained to classify.",
        )
    joined = [text if isinstance(text, str) else "\n".join(text) for text in texts]
    if output == "embedding":
        return _by_similarity(
            lm, joined, names, several=several, template=template or ABOUT, truncate=truncate
        )
    return _by_likelihood(
        lm, joined, names, several=several, template=template or PROMPT, truncate=truncate
    )


def class_names(lm: LM) -> tuple[str, ...]:
    """The names of a trained head's classes, or their numbers where they have none."""
    config = lm.network.config
    return config.labels or tuple(str(number) for number in range(config.outputs))


def _names(labels: Sequence[str]) -> tuple[str, ...]:
    names = tuple(each.strip() for each in labels)
    if "" in names:
        raise UsageError("a label is empty.", fix="Divide labels by one comma: good,bad")
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise UsageError(f"the label {twice!r} is given twice.")
    if len(names) == 1:
        raise UsageError("one label is no choice.", fix="Give two or more.")
    return names


def _by_head(
    lm: LM, texts: Sequence[Texts], wanted: tuple[str, ...], truncate: Truncate | None
) -> Told:
    known = class_names(lm)
    faults = [
        RequestError(f"the model has no label {each!r}.", fix=nearest(each, known))
        for each in wanted
        if each not in known
    ]
    if faults:
        raise together(RequestError, faults)
    readings = lm.read(texts, truncate=truncate)
    logits = np.array([each.values for each in readings], np.float64).reshape(-1, len(known))
    names = wanted or known
    return Told(
        names,
        logits[:, [known.index(each) for each in names]],
        "head",
        lm.network.config.output == "labels",
        tuple(each.dropped_tokens for each in readings),
    )


def _by_similarity(
    lm: LM,
    texts: Sequence[str],
    names: tuple[str, ...],
    *,
    several: bool,
    template: str,
    truncate: Truncate | None,
) -> Told:
    """Cosines of texts and names, less those of texts without content."""
    if "{}" not in template:
        raise UsageError(f"the template {template!r} has no {{}} for the label.")
    limit = reading_length(lm.checkpoint)
    room = limit - 2 if limit else 0
    cut = [fitted(lm.tokenizer, each, room, truncate) if room else (each, 0) for each in texts]
    meant = lm.embed([template.replace("{}", each) for each in names])
    free = lm.embed(CONTENT_FREE).mean(axis=0)
    given = lm.embed([text for text, _ in cut], truncate=truncate)
    logits = SCALE * ((given - free) @ meant.T).astype(np.float64)
    return Told(names, logits, "similarity", several, tuple(dropped for _, dropped in cut))


def _by_likelihood(
    lm: LM,
    texts: Sequence[str],
    names: tuple[str, ...],
    *,
    several: bool,
    template: str,
    truncate: Truncate | None,
) -> Told:
    """How likely each name is after each text, over how likely it is after none."""
    if "{text}" not in template:
        raise UsageError(f"the template {template!r} has no {{text}}.")
    around = max(len(lm.tokenizer.encode(f"{template} {name}")) for name in names) + 2
    cut = [
        fitted(lm.tokenizer, each, lm.context - around, truncate) if lm.context else (each, 0)
        for each in texts
    ]
    every = [*CONTENT_FREE, *(text for text, _ in cut)]
    pairs = [(template.replace("{text}", text), f" {name}") for text in every for name in names]
    logprobs = np.array([each.logprob for each in lm.score(pairs)]).reshape(len(every), len(names))
    free = logprobs[: len(CONTENT_FREE)]
    free = free - np.log(np.exp(free).sum(axis=1, keepdims=True))
    usual = np.log(np.exp(free).mean(axis=0))
    own = logprobs[len(CONTENT_FREE) :]
    own = own - np.log(np.exp(own).sum(axis=1, keepdims=True))
    return Told(names, own - usual, "likelihood", several, tuple(dropped for _, dropped in cut))


def _classified(told: Told, row: Logits, dropped: int, threshold: float) -> Classified:
    chances = {name: float(each) for name, each in zip(told.names, row, strict=True)}
    first = told.names[int(row.argmax())]
    if not told.several:
        return Classified(first, (first,), chances, told.how, dropped)
    held = tuple(name for name, each in chances.items() if each >= threshold)
    return Classified(first if held else "", held, chances, told.how, dropped)
