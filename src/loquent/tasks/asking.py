"""How a model wants to be asked for what: what stands before a text, and in which languages."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.errors import RequestError
from loquent.lm.answer import Answer
from loquent.lm.lm import LM
from loquent.lm.options import Options
from loquent.lm.stream import Stream
from loquent.text.languages import NAMES
from loquent.text.tokenizer import Tokenizer

Form = Literal["source", "chat", "continue"]
# source: an encoder reads the text. chat: a turn of a conversation. continue: what follows a text.

Progress = Callable[[int, int], None]  # parts done, of how many

SUMMARIZATION, TRANSLATION = "summarization", "translation"  # as config.json names the tasks
BEAMS = 4  # that a model with an encoder keeps where its makers say nothing
_FRONT = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_LIST = re.compile(r"^(\w+):[ \t]*(?:\[(.*?)\]|(\S.*)?)((?:\n\s*-\s+\S.*)*)", re.MULTILINE)
_PAIR = re.compile(r"(?:opus-mt(?:-tc-\w+)?-|_)([a-z]{2,3})-([a-z]{2,3})$")
_TOLD_BY_PREFIX = ("t5", "mt5")  # families that do what the start of a text says


@dataclass(frozen=True)
class Manner:
    """How a model is asked."""

    form: Form
    own: bool  # trained by Loquent, on texts as its data has them
    languages: tuple[str, ...]  # that its card or its name tells; ISO 639-1
    one_way: bool  # whether it translates from the first of two languages to the second only
    prefixes: Mapping[str, str]  # by task, as its makers give them in config.json
    family: str

    def check_pair(self, source: str, target: str) -> None:
        """Raise RequestError where the card names languages and one of these is not among them."""
        for code in (source, target):
            if self.languages and code not in self.languages:
                known = " and ".join(NAMES.get(each, each) for each in self.languages)
                raise RequestError(
                    f"this model was made for {known}, not for {NAMES.get(code, code)}.",
                    fix="Choose another one; `loquent models` lists them.",
                )
        if self.one_way and (source, target) != self.languages:
            first, second = (NAMES.get(each, each) for each in self.languages)
            raise RequestError(f"this model translates from {first} to {second} only.")

    def summary_prefix(self) -> str:
        """What stands before a text that is to be summarized."""
        for name, prefix in self.prefixes.items():
            if name.startswith(SUMMARIZATION):
                return prefix
        return "summarize: " if self.family in _TOLD_BY_PREFIX and not self.own else ""

    def translation_prefix(self, source: str, target: str) -> str:
        """What stands before a text that is to be translated."""
        known = self.prefixes.get(f"{TRANSLATION}_{source}_to_{target}")
        known = self.prefixes.get(TRANSLATION) if known is None else known
        if known is not None:
            return known
        if self.family in _TOLD_BY_PREFIX and not self.own:
            return f"translate {NAMES.get(source, source)} to {NAMES.get(target, target)}: "
        return ""


def manner(lm: LM) -> Manner:
    """How a model is asked, from its config.json and its card."""
    return manner_of(lm.checkpoint)


def manner_of(checkpoint: Checkpoint) -> Manner:
    """The same of a checkpoint that nothing executes yet."""
    path = checkpoint.path
    folder = path if path is None or path.is_dir() else path.parent
    card = front(folder / "README.md") if folder else {}
    languages = tuple(card.get("language", ()))
    found = _PAIR.search(folder.name) if folder and not languages else None
    own = card.get("library_name") == ["loquent"]
    translator = own and card.get("pipeline_tag") == ["translation"] and len(languages) == 2
    form: Form = "continue"
    if checkpoint.config.encoder is not None:
        form = "source"
    elif checkpoint.tokenizer is not None and checkpoint.tokenizer.template is not None:
        form = "chat"
    return Manner(
        form=form,
        own=own,
        languages=found.groups() if found else languages,
        one_way=found is not None or translator,
        prefixes=checkpoint.generation.prefixes,
        family=checkpoint.card.family,
    )


def written(form: Form, lm: LM, *, max_tokens: int, beams: int = 0) -> Options:
    """How an answer is written: the likeliest, by a search of beams where an encoder reads.

    `beams` of 0 means what the makers advise, else 4. All else that they advise holds, too.
    """
    options: Options = {"temperature": 0.0, "max_tokens": max_tokens, "seed": 0}
    if beams:
        options["beams"] = beams
    elif form == "source" and "beams" not in lm.checkpoint.generation.sampling:
        options["beams"] = BEAMS
    return options


def replies(lm: LM, asked: Sequence[str], options: Options) -> list[Answer]:
    """What a model that chats replies to each of several single turns."""
    streams: list[Stream] = []
    try:
        for each in asked:
            streams.append(lm.stream([{"role": "user", "content": each}], **options))
        return [stream.finished() for stream in streams]
    finally:
        for stream in streams:
            stream.cancel()


def reader(lm: LM) -> Tokenizer:
    """The tokenizer of what a model reads, which an encoder may have to itself."""
    return lm.checkpoint.source_tokenizer or lm.tokenizer


def front(path: Path) -> dict[str, list[str]]:
    """The header of a model's card: names with their values; empty where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    head = _FRONT.match(text)
    made = {}
    for found in _LIST.finditer(head[1] if head else ""):
        name, inline, one, listed = found.groups()
        values = (inline or one or "").split(",") + re.findall(r"-\s+(\S.*)", listed or "")
        made[name] = [value for each in values if (value := each.strip().strip("\"'"))]
    return made
