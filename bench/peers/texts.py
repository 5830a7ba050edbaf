"""Texts beside peers: sentences embedded and translated, reviews judged, by each system in turn.

    python bench/peers.py text [--jobs embed translate classify] [--rounds 3] [--threads 2]

Each visit is a process of its own, which loads the model, does a few sentences that are not
counted, and then all. What a system makes is compared with transformers in f32, or with labels.
Writes bench/results/peers-texts.json after every visit and .md at the end. `--by` is put before
each visit's command, such as a program that lets nothing else run meanwhile. Classifying needs
`python bench/quality.py imdb-bag` before.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loquent.commands.info import machine
from peers import texts_classify, texts_embed, texts_translate
from peers.texts_home import HOME

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "peers-texts.json"
WARM = 64  # sentences


@dataclass(frozen=True)
class Job:
    """What all systems do."""

    title: str
    systems: Mapping[str, Callable[[int], Callable[[list[str]], Any]]]
    sentences: Callable[[Path, int], list[str]]
    count: int
    near: Callable[[Any, Any], str]  # how near a result is to the reference's
    reference: str | Callable[[Path, int], Sequence[str]]  # a system, or what is true
    rivals: Mapping[str, tuple[str, ...]]  # a peer's system: ours that it is compared with
    wanted: Mapping[str, float]  # how many times as fast as a peer Loquent is to be


SAME = {
    "transformers f32": ("loquent f32", "loquent int8"),  # which has f32 alone
    **{f"{peer} {precision}": (f"loquent {precision}",)
       for peer in ("ctranslate2", "onnxruntime") for precision in ("f32", "int8")},
}  # fmt: skip
WANTED = {"ctranslate2": 1.5, "transformers": 5.0}
JOBS = {
    "embed": Job(
        "Embedding: MiniLM", texts_embed.SYSTEMS, texts_embed.sentences, 10_000, texts_embed.near,
        texts_embed.REFERENCE, SAME, WANTED,
    ),
    "translate": Job(
        "Translating: FLAN-T5 small, 4 beams", texts_translate.SYSTEMS, texts_translate.sentences,
        500, texts_translate.near, texts_translate.REFERENCE, SAME, WANTED,
    ),
    "classify": Job(
        "Classifying: IMDB's test reviews", texts_classify.SYSTEMS, texts_classify.sentences,
        25_000, texts_classify.near, texts_classify.labels,
        {"fasttext words": ("loquent bag",)}, {},
    ),
}  # fmt: skip


def main(words: list[str]) -> None:
    """Measure in turns and write the figures; or, as a child, measure one system."""
    given = arguments(words)
    if given.child:
        child(given.child[0], given.child[1], given)
        return
    kept: dict[str, Any] = {"about": about(given), "visits": []}
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(given.rounds):
            for name in given.jobs:
                for system in (s for s in JOBS[name].systems if s in (given.systems or [s])):
                    found = visited(name, system, Path(folder), given)
                    kept["visits"].append({"job": name, "system": system, "round": turn, **found})
                    print(turn, name, system, found, file=sys.stderr, flush=True)
                    given.output.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        kept["near"] = {name: dict(compared(name, Path(folder), given)) for name in given.jobs}
    given.output.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(page(kept)) + "\n"
    given.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench/peers.py text",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    add("--systems", nargs="+", default=[], help='those alone, such as "loquent int8"')
    add("--rounds", type=int, default=3)
    add("--threads", type=int, default=2)
    add("--share", type=float, nargs="+", default=[1.0], help="of each job's sentences")
    add("--data", type=Path, default=ROOT.parent / "shared" / "data")
    add("--by", default="", metavar="COMMAND", help="before the command of each visit")
    add("--output", type=Path, default=RESULTS)
    add("--child", nargs=2, metavar=("JOB", "SYSTEM"), help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if len(given.share) not in (1, len(given.jobs)):
        parser.error("--share has one number for all jobs, or one for each")
    return given


def about(given: argparse.Namespace) -> dict[str, Any]:
    """Under which conditions all is measured."""
    return {
        "command": f"python bench/peers.py text --jobs {' '.join(given.jobs)} "
        f"--rounds {given.rounds} --threads {given.threads} "
        f"--share {' '.join(f'{each:g}' for each in given.share)}",
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": {**machine(), "python": platform.python_version()},
        "threads": given.threads,
    }


def visited(name: str, system: str, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """One system in a process of its own; what it makes lies in the folder."""
    command = [*shlex.split(given.by), sys.executable, str(ROOT / "bench" / "peers.py"), "text"]
    command += ["--child", name, system, "--threads", str(given.threads)]
    command += ["--jobs", *given.jobs, "--share", *map(str, given.share)]
    command += ["--data", str(given.data)]
    command += ["--output", str(folder / f"{name} {system}.npy")]
    threads = {"OMP_NUM_THREADS": str(given.threads), "TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **threads}
    )
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no reason told"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def child(name: str, system: str, given: argparse.Namespace) -> None:
    """Load, warm up, measure."""
    job = JOBS[name]
    sentences = job.sentences(given.data, count(name, given))
    began = time.perf_counter()
    work = job.systems[system](given.threads)
    loaded = time.perf_counter() - began
    work(sentences[-WARM:])
    began, used = time.perf_counter(), time.process_time()
    made = work(sentences)
    found = {
        "seconds": round(time.perf_counter() - began, 3),
        "processor_seconds": round(time.process_time() - used, 3),
        "load_seconds": round(loaded, 3),
        "sentences": len(sentences),
    }
    np.save(given.output, np.array(made))
    print(json.dumps(found))


def compared(name: str, folder: Path, given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """How near what each system made is to the reference."""
    job = JOBS[name]
    files = {each: folder / f"{name} {each}.npy" for each in job.systems}
    made = {each: np.load(path) for each, path in files.items() if path.exists()}
    told = job.reference
    true = made.get(told) if isinstance(told, str) else told(given.data, count(name, given))
    for system, each in made.items():
        if true is not None and system != told:
            yield system, job.near(each, true)


def count(name: str, given: argparse.Namespace) -> int:
    """How many sentences of a job are asked for."""
    shares = given.share * len(given.jobs) if len(given.share) == 1 else given.share
    return round(shares[given.jobs.index(name)] * JOBS[name].count)


def page(kept: Mapping[str, Any]) -> Iterator[str]:
    """The figures as Markdown."""
    told = kept["about"]
    yield "# Texts beside peers\n"
    yield f"`{told['command']}`, {told['date']}, {told['threads']} threads.\n"
    yield from (f"- {name}: {each}" for name, each in told["machine"].items() if name != "packages")
    packages = told["machine"].get("packages", {})
    yield f"- {', '.join(f'{name} {number}' for name, number in packages.items())}"
    yield "\nMedians of all rounds with the least and the most, with cutting into tokens, without"
    yield "opening the model. “Of ours”: how many times as long a peer takes as Loquent, round by"
    yield "round."
    for name in dict.fromkeys(each["job"] for each in kept["visits"]):
        yield from rows(name, kept)


def rows(name: str, kept: Mapping[str, Any]) -> Iterator[str]:
    """The table of one job."""
    job, visits = JOBS[name], [each for each in kept["visits"] if each["job"] == name]
    number = max((each.get("sentences", 0) for each in visits), default=0)
    beside = "transformers in f32" if isinstance(job.reference, str) else "the labels"
    yield f"\n## {job.title}, {number:,}\n"
    yield f"| system | texts/s | of ours | wanted | beside {beside} |"
    yield "|---|---|---|---|---|"
    for system in job.systems:
        found = {each["round"]: each for each in visits if each["system"] == system}
        timed = {
            turn: number / each["seconds"] for turn, each in found.items() if "seconds" in each
        }
        if not timed:
            failed = next((each["failed"] for each in found.values()), "not run")
            yield f"| {system} | {failed} | | | |"
            continue
        peer, ratios = system.split()[0], list[str]()
        for ours in job.rivals.get(system, ()):
            if values := factors(visits, ours, timed, number):
                ratios.append(
                    f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f}) of "
                    f"{ours.partition(' ')[2]}"
                )
        wanted = job.wanted.get(peer, "")
        yield (
            f"| {system} | {spread(list(timed.values()))} | {'; '.join(ratios)} | {wanted} "
            f"| {kept.get('near', {}).get(name, {}).get(system, '')} |"
        )


def factors(
    visits: list[dict[str, Any]], ours: str, theirs: Mapping[int, float], count: int
) -> list[float]:
    """How many times as fast we are, round by round."""
    mine = {
        e["round"]: count / e["seconds"] for e in visits if e["system"] == ours and "seconds" in e
    }
    return [mine[turn] / speed for turn, speed in theirs.items() if turn in mine]


def spread(values: list[float]) -> str:
    """The median with the least and the most."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"
