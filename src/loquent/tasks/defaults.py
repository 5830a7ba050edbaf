"""Which model a task takes where none is named, and which others there are."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from loquent.checkpoints.catalogue import CATALOGUE, Entry
from loquent.errors import UsageError
from loquent.text.languages import NAMES, identify

# By application: the tasks of the catalogue that can do it, the best fitting first.
SERVES: Mapping[str, tuple[str, ...]] = {
    "classify": ("classify",),
    "label": ("embed", "chat"),  # classify with given labels
    "summarize": ("summarize",),
    "translate": ("translate",),
    "answer": ("answer", "chat"),
    "embed": ("embed",),
    "fill": ("fill", "generate"),
    "transcribe": ("transcribe",),
    "speak": ("speak",),
}
_WORDS = {"label": "choose among labels", "fill": "fill in hidden words"}
_FETCHED = "hf:"  # sources on a hub that may not be reached; what needs none goes first
_MOST_OTHERS = 3


class Chosen(NamedTuple):
    """A model, and others that may be better."""

    name: str
    others: tuple[str, ...]


def chosen(
    application: str, languages: Sequence[str] = (), entries: Sequence[Entry] = ()
) -> Chosen:
    """The model of the catalogue for an application (a key of SERVES) in some languages.

    Of those that fit, what comes with a package or this version goes before what a hub holds, and
    then a model made for the application before one that can do it, too, and then what the
    catalogue names first. `languages` of a translation are those from which and to which. `entries`
    takes the place of the catalogue. Raises UsageError where none fits.
    """
    tasks = SERVES[application]
    ranked = sorted(
        (
            (entry.source.startswith(_FETCHED), *rank, number, entry.name)
            for number, entry in enumerate(entries or CATALOGUE.values())
            if (rank := _rank(entry, tasks)) is not None and _speaks(entry, languages)
        ),
    )
    if not ranked:
        wanted = " and ".join(NAMES.get(each, each) for each in languages)
        does = _WORDS.get(application, application)
        raise UsageError(
            f"the catalogue has no model to {does}" + (f" in {wanted}." if wanted else "."),
            fix="Name one (--model): a folder of your own, or hf:ORG/NAME.",
        )
    names = [name for *_, name in sorted(ranked)]
    better = [name for *_, name in sorted(ranked, key=lambda each: (each[1], each[3]))]
    return Chosen(names[0], tuple(each for each in better if each != names[0])[:_MOST_OTHERS])


def unsuited(name: str, text: str, application: str) -> str:
    """A sentence where a model of the catalogue was not made for a text's language; else ""."""
    entry, code = CATALOGUE.get(name), identify(text).code
    if entry is None or not code or code in entry.languages:
        return ""
    known = " and ".join(NAMES.get(each, each) for each in entry.languages[:_MOST_OTHERS])
    told = f"{name} was made for {known}, and the text seems to be {NAMES[code]}"
    try:
        return f"{told}; {chosen(application, [code]).name} knows it"
    except UsageError:
        return told


def _speaks(entry: Entry, languages: Sequence[str]) -> bool:
    """Whether an entry knows some languages; one that translates one way, just these in order."""
    if entry.one_way and len(languages) > 1:
        return tuple(languages) == entry.languages
    return all(language in entry.languages for language in languages)


def _rank(entry: Entry, tasks: Sequence[str]) -> tuple[int, bool] | None:
    """How well an entry fits; None where it does not. What it was made for goes first."""
    for rank, task in enumerate(tasks):
        if task in entry.tasks:
            return rank, task != entry.tasks[0]
    return None
