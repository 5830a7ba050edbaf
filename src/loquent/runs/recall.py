"""The long-range test: texts that ask for a token seen so many steps ago, as ordinary records.

A text is a few letters, one digit, a gap of letters and a question mark; the answer is the digit.
It is the selective copying of Gu and Dao 2023, section 3.1, with one token to remember: what the
question asks for stands `gap` tokens before it, and nothing after it repeats it.
"""

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loquent.runs.assemble import width_of
from loquent.runs.folder import write_text
from loquent.runs.plan import BUDGETS, Plan, planned
from loquent.settings import write
from loquent.tasks import TASKS, Stacks

LETTERS, DIGITS, QUESTION = "abcdefghijklmnopqrstuvwxyz", "0123456789", "?"
CHANCE = 1 / len(DIGITS)
EACH = 100  # texts of each gap that are judged

_LEARNED = 20_000  # texts to learn from
_BEFORE = 4  # letters before the digit, at most
_BATCH = 64
_MOST_TOKENS = 1_000_000  # of one training
_TASKS: dict[Stacks, str] = {"decoder": "chat", "both": "translate", "encoder": "classify"}


def folder_of(out: Path, gaps: Sequence[int]) -> Path:
    """Where a comparison keeps the records of some gaps, and the runs that learned from them."""
    return out / "-".join(["recall", *map(str, gaps)])


def gaps_of(folder: Path) -> tuple[int, ...]:
    """The inverse of `folder_of`; nothing for a folder of another name."""
    name, *gaps = folder.name.split("-")
    return tuple(map(int, gaps)) if name == "recall" and all(map(str.isdecimal, gaps)) else ()


def recall_plan(plan: Plan, folder: Path, out: Path) -> Plan:
    """How the network of a plan learns to recall, on the records that `written` puts in a folder.

    Its sizes, seed, device and budget are those of the plan, but for a million tokens at most and
    without epochs, which are those of other data; nothing is dropped, since it is memory that is
    asked for. A decoder is asked to go on, an encoder for a class, both for a second text.
    """
    budget = {name: getattr(plan.training, name) for name in BUDGETS if name != "epochs"}
    budget["tokens"] = min(budget["tokens"] or _MOST_TOKENS, _MOST_TOKENS)
    width = width_of(plan)
    network = replace(plan.network, width=width, dropout=0.0, attention_dropout=-1.0)
    values: dict[str, Any] = {
        "task": _TASKS[TASKS[plan.task].stacks],
        "out": str(out),
        "data": {
            "train": str(folder / "train.jsonl"),
            "validation": str(folder / "validation.jsonl"),
            "batch": _BATCH,
        },
        "tokenizer": {"kind": "char"},
        "network": write(network),
        "training": {**budget, "seed": plan.training.seed, "precision": plan.training.precision},
        "evaluate": {"every": 0, "metric": "loss"},
        "save": {"every": 0.5},
        "device": plan.device,
    }
    return planned(values)


def written(plan: Plan, gaps: Sequence[int], folder: Path) -> None:
    """Write the records for the task of a plan, where they are not there yet.

    Gaps to learn from are drawn up to the largest, short ones more often, so that there is always
    something to begin with. The judged ones are `gaps` in turn, `EACH` of them.
    """
    stacks = TASKS[plan.task].stacks
    chance = random.Random(0)
    most = math.log2(max(gaps))
    learned = (round(2 ** chance.uniform(0, most)) for _ in range(_LEARNED))
    judged = (gap for _ in range(EACH) for gap in gaps)
    folder.mkdir(parents=True, exist_ok=True)
    for name, wanted in (("train", learned), ("validation", judged)):
        path = folder / f"{name}.jsonl"
        text = "\n".join(_lines(wanted, stacks, random.Random(name))) + "\n"
        if not path.exists() or path.read_text(encoding="ascii") != text:
            write_text(path, text)


def _lines(gaps: Iterator[int], stacks: Stacks, chance: random.Random) -> Iterator[str]:
    """Records as lines of JSON."""
    for gap in gaps:
        digit = chance.choice(DIGITS)
        before = chance.choices(LETTERS, k=chance.randint(0, _BEFORE))
        text = "".join([*before, digit, *chance.choices(LETTERS, k=gap - 1), QUESTION])
        names = ("text", "label") if stacks == "encoder" else ("prompt", "completion")
        yield json.dumps(dict(zip(names, (text, digit), strict=True)))
