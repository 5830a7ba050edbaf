"""One visit to one peer: a new process, from its start to its last figure."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from peers import load
from peers.environments import PeerError
from peers.process import Process, first_output
from peers.table import Peer

PROMPT = 32
TRIAL_TOKENS = 9  # of the answer that warms up and tells how long one of full length would take
LEAST_TOKENS = 17  # of a measured answer


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
    round: int
    tasks: tuple[str, ...]
    seconds: float  # for each figure of decoding; answers are shorter where 128 tokens take longer
    answer_seconds: float  # a peer that is silent for longer is ended


@dataclass
class Found:
    """What a visit gave, complete or not."""

    figures: dict[str, float] = field(default_factory=dict)
    new_tokens: dict[str, int] = field(default_factory=dict)  # of each row, by task
    loads: dict[str, list[float]] = field(default_factory=dict)
    ids: dict[str, list[int]] = field(default_factory=dict)  # the first ones of the first row
    failed: dict[str, str] = field(default_factory=dict)  # by task, or "start"


def measured(visit: Visit, python: Path, peer: Peer, files: Path) -> Found:
    """All figures of a visit, and those that it did not give with the reason.

    Speeds are tokens a second over all rows. That of decoding leaves the prompt and the first token
    out: it comes from the difference of a long answer and one of a single token. Every prompt is
    new, so that nothing is remembered, and the same for each peer.
    """
    found = Found()
    left = list(visit.tasks)
    with load.busy_core(visit.busy):
        _visit(visit, python, peer, files, found=found, left=left)
        while left and "start" not in found.failed:  # it ended; the other tasks get a new process
            _visit(visit, python, peer, files, found=found, left=left)
    if peer.command and "start" not in found.failed:
        _command(visit, python, peer, files, found)
    return found


def _visit(
    visit: Visit, python: Path, peer: Peer, files: Path, *, found: Found, left: list[str]
) -> None:
    """One process, which takes tasks from `left` until there are none or it ends."""
    with Process(python, peer.path, visit.threads, visit.answer_seconds) as process:
        for name in ["start", *left]:
            before, foreign = load.average(), load.Foreign(process.id)
            if name != "start":
                left.remove(name)
            try:
                if name == "start":
                    _start(process, visit, files, found)
                else:
                    _speed(process, visit, name, found)
                found.loads[name] = [before, load.average(), foreign.cores()]
            except PeerError as fault:
                found.failed[name] = str(fault)
                if name == "start" or not process.alive:
                    return
        found.figures["peak bytes"] = process.ask("memory")["peak_bytes"]


def _command(visit: Visit, python: Path, peer: Peer, files: Path, found: Found) -> None:
    """From the start of the peer's own command to its first token, the text's way included."""
    model, bits = next(files.glob("model*")), peer.variants[visit.variant].removesuffix("-bit")
    words = [word.format(model=model, bits=bits) for word in peer.command]
    try:
        with load.busy_core(visit.busy):
            seconds = first_output(python, words, visit.threads, visit.answer_seconds)
        found.figures["command start"] = seconds
    except PeerError as fault:
        found.failed["command start"] = str(fault)


def _start(process: Process, visit: Visit, files: Path, found: Found) -> None:
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
    found.figures["cold start"] = process.age()
    firsts = [process.ask("generate", prompts=each, count=1)["seconds"] for each in prompts]
    found.figures["load"] = loaded[0]["seconds"]
    found.figures["first token"] = sorted(firsts)[len(firsts) // 2]
    found.figures["peak bytes at one row"] = process.ask("memory")["peak_bytes"]
    if loaded[0]["file_bytes"]:
        found.figures["packed file bytes"] = loaded[0]["file_bytes"]


def _speed(process: Process, visit: Visit, name: str, found: Found) -> None:
    task = TASKS[name]
    process.ask("prepare", rows=task.rows, length=task.prompt + task.new)
    warm, one, all_ = _prompts(visit, name, task.rows, task.prompt, 3)
    trial = process.ask("generate", prompts=warm, count=min(task.new, TRIAL_TOKENS))["seconds"]
    short = process.ask("generate", prompts=one, count=1)
    if task.new == 1:
        found.figures[name] = task.prompt / short["seconds"]
        found.ids[name] = short["ids"][0]
        return
    step = max((trial - short["seconds"]) / (TRIAL_TOKENS - 1), 1e-4)
    new = min(task.new, max(LEAST_TOKENS, int(visit.seconds / step)))
    whole = process.ask("generate", prompts=all_, count=new)
    passed = max(whole["seconds"] - short["seconds"], 1e-9)
    found.figures[name] = task.rows * (new - 1) / passed
    found.new_tokens[name], found.ids[name] = new, whole["ids"][0][:8]


def _prompts(visit: Visit, name: str, rows: int, length: int, count: int) -> list[list[list[int]]]:
    """Ids that every vocabulary here has, drawn anew for each task and round."""
    chance = random.Random(f"{name} {visit.round}")
    return [
        [[chance.randrange(1000, 40_000) for _ in range(length)] for _ in range(rows)]
        for _ in range(count)
    ]
