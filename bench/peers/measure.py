"""One visit to one peer: a new process, from its start to its last figure."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers import load
from peers.process import Process

PROMPT = 32
ANSWER_SECONDS = 600.0


@dataclass(frozen=True)
class Task:
    """A figure: so many rows with prompts of so many tokens."""

    rows: int
    prompt: int
    new: int


TASKS = {
    "prefill": Task(1, 512, 1),
    "decode 1": Task(1, PROMPT, 128),
    "decode 8": Task(8, PROMPT, 128),
    "decode 32": Task(32, PROMPT, 128),
    "context 1024": Task(1, 896, 128),
}


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What is measured by one process."""

    model: str
    peer: str
    variant: str
    threads: int
    busy: bool  # beside a second process that keeps one core busy
    new_tokens: int  # at most, of each task
    tasks: tuple[str, ...]
    round: int


def measured(visit: Visit, python: Path, adapter: Path, files: Path) -> dict[str, Any]:
    """All figures of a visit; raises PeerError.

    Speeds are tokens a second over all rows. That of decoding leaves the prompt and the first token
    out: it comes from the difference of a long answer and one of a single token. Every prompt is
    new, so that nothing is remembered, and the same for each peer.
    """
    with (
        load.busy_core(visit.busy),
        Process(python, adapter, visit.threads, ANSWER_SECONDS) as process,
    ):
        before = load.average()
        foreign = load.Foreign(process.id)
        figures = _started(process, visit, files)
        loads = {"start": [before, load.average(), foreign.cores()]}
        written = {}
        for name in visit.tasks:
            before, foreign = load.average(), load.Foreign(process.id)
            figures[name], written[name] = _speed(process, visit, name)
            loads[name] = [before, load.average(), foreign.cores()]
        figures["peak bytes"] = process.ask("memory")["peak_bytes"]
    return {"figures": figures, "loads": loads, "ids": written}


def _started(process: Process, visit: Visit, files: Path) -> dict[str, float]:
    """From the start of the process to its first token; and then the first token alone."""
    prompts = iter(_prompts(visit, "first", 1, PROMPT, 4))
    threads = visit.threads
    loaded = process.ask_all(
        [
            {"do": "load", "files": str(files), "variant": visit.variant, "threads": threads},
            {"do": "prepare", "rows": 1, "length": PROMPT + 1},
            {"do": "generate", "prompts": next(prompts), "count": 1},
        ]
    )
    cold = process.age()
    firsts = [process.ask("generate", prompts=each, count=1)["seconds"] for each in prompts]
    return {
        "cold start": cold,
        "load": loaded[0]["seconds"],
        "first token": sorted(firsts)[len(firsts) // 2],
        "peak bytes at one row": process.ask("memory")["peak_bytes"],
    }


def _speed(process: Process, visit: Visit, name: str) -> tuple[float, list[int]]:
    task = TASKS[name]
    new = min(task.new, visit.new_tokens)
    process.ask("prepare", rows=task.rows, length=task.prompt + new)
    warm, one, all_ = _prompts(visit, name, task.rows, task.prompt, 3)
    process.ask("generate", prompts=warm, count=1)
    short = process.ask("generate", prompts=one, count=1)
    if task.new == 1:
        return task.prompt / short["seconds"], short["ids"][0]
    whole = process.ask("generate", prompts=all_, count=new)
    passed = max(whole["seconds"] - short["seconds"], 1e-9)
    return task.rows * (new - 1) / passed, whole["ids"][0][:8]


def _prompts(visit: Visit, name: str, rows: int, length: int, count: int) -> list[list[list[int]]]:
    """Ids that every vocabulary here has, drawn anew for each task and round."""
    chance = random.Random(f"{name} {visit.round}")
    return [
        [[chance.randrange(1000, 40_000) for _ in range(length)] for _ in range(rows)]
        for _ in range(count)
    ]
