"""Loquent beside its peers: llama.cpp, OpenVINO, CTranslate2, ONNX Runtime, vLLM, transformers.

    python bench/peers.py [--quick] [--peers NAME …] [--models NAME …] [--threads N …] [--busy]

Builds each peer in an environment of its own, makes the models, lets each peer convert them with
its own tools, and measures all of them in turn, several rounds, each in a new process. Writes
bench/results/peers.json after every process, so that a run that was cut off goes on where it was,
and peers.md at the end. What cannot be installed or run is told there with the reason.
"""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from peers import measure, probe, report
from peers.environments import PeerError, interpreter, versions
from peers.kept import Kept
from peers.measure import TASKS, Visit
from peers.models import MODELS, made, work
from peers.process import Process
from peers.table import PEERS

RESULTS = Path(__file__).parent / "results"
CONVERT_SECONDS = 1800.0
QUICK_TOKENS = 8


def main() -> None:
    """Measure what is asked for and write the tables."""
    given = arguments()
    given.output.parent.mkdir(parents=True, exist_ok=True)
    kept = Kept(given.output, given.fresh)
    kept.about["command"] = command(given)
    pythons = environments(given, kept)
    files = converted(given, pythons, kept)
    rates(given, kept)
    for visit in visits(given):
        place = files.get((visit.model, visit.peer, visit.variant))
        if place is None or kept.has(visit):
            continue
        try:
            found = measure.measured(visit, pythons[visit.peer], PEERS[visit.peer].path, place)
        except PeerError as fault:
            kept.fail(f"{visit.peer} {visit.variant}, {visit.model}", fault)
            continue
        kept.add(visit, found)
    text = report.markdown(kept.current(), kept.floors, kept.about)
    given.output.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)


def arguments() -> argparse.Namespace:
    """The command line."""
    home = Path(os.environ.get("LOQUENT_HOME", "~/.cache/loquent")).expanduser() / "bench"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--peers",
        nargs="+",
        metavar="NAME[:PRECISION]",
        default=list(PEERS),
        help=f"of {', '.join(f'{n}:{v}' for n, p in PEERS.items() for v in p.variants)}",
    )
    add("--models", nargs="+", choices=MODELS, default=list(MODELS))
    add("--threads", nargs="+", type=int, default=[2, 1])
    add("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    add("--rounds", type=int, default=5)
    add("--quick", action="store_true", help="one round of eight tokens: does everything run?")
    add("--busy", action="store_true", help="beside a second process that keeps one core busy")
    add(
        "--environments",
        type=Path,
        default=home,
        metavar="FOLDER",
        help="where environments and models are kept (default: %(default)s)",
    )
    add(
        "--reuse",
        action="append",
        default=[],
        metavar="PEER=PYTHON",
        help="an interpreter that holds the peer already",
    )
    add("--fresh", action="store_true", help="forget the figures of earlier runs")
    add("--output", type=Path, default=RESULTS / "peers.json")
    given = parser.parse_args()
    given.environments = given.environments.resolve()
    given.reuse = {
        name: Path(path) for name, _, path in (each.partition("=") for each in given.reuse)
    }
    wanted = [each.partition(":")[::2] for each in given.peers]
    for name, variant in wanted:
        if name not in PEERS or (variant and variant not in PEERS[name].variants):
            parser.error(
                f"there is no peer {name}{':' * bool(variant)}{variant}; --help lists them"
            )
    given.chosen = [
        (name, each)
        for name, variant in wanted
        for each in PEERS[name].variants
        if variant in ("", each)
    ]
    if given.quick:
        given.rounds = 1
    return given


def command(given: argparse.Namespace) -> str:
    """How this run was called, less the places of files on this machine."""
    words = ["python", "bench/peers.py", "--peers", *given.peers, "--models", *given.models]
    words += ["--threads", *map(str, given.threads), "--tasks", *given.tasks]
    words += ["--rounds", str(given.rounds)]
    words += ["--quick"] if given.quick else []
    words += ["--busy"] if given.busy else []
    return shlex.join(words)


def environments(given: argparse.Namespace, kept: Kept) -> dict[str, Path]:
    """The interpreter of each peer that can be installed."""
    found = {}
    for name in dict.fromkeys(name for name, _ in given.chosen):
        try:
            python = interpreter(name, PEERS[name], given.environments, given.reuse)
            kept.about["versions"][name] = versions(python, PEERS[name])
            found[name] = python
        except PeerError as fault:
            kept.fail(f"{name} (not installed)", fault)
    return found


def converted(
    given: argparse.Namespace, pythons: dict[str, Path], kept: Kept
) -> dict[tuple[str, str, str], Path]:
    """The files of each model for each peer and precision, made where they are not there yet."""
    found = {}
    home = given.environments / "models"
    for model in given.models:
        source = made(model, home)
        for name, variant in given.chosen:
            place = home / model / f"{name}-{variant}"
            if name not in pythons:
                continue
            try:
                if not place.exists():
                    print(f"converting {model} for {name} {variant}", file=sys.stderr, flush=True)
                    convert(pythons[name], name, variant, source, place)
                found[model, name, variant] = place
            except PeerError as fault:
                kept.fail(f"{name} {variant}, {model} (not converted)", fault)
    return found


def convert(python: Path, name: str, variant: str, source: Path, place: Path) -> None:
    """Let a peer make its own files, which get their name when they are whole."""
    unfinished = place.with_name(f".{place.name}")
    if unfinished.is_symlink():
        unfinished.unlink()
    shutil.rmtree(unfinished, ignore_errors=True)
    with Process(python, PEERS[name].path, os.cpu_count() or 1, CONVERT_SECONDS) as process:
        process.ask("convert", source=str(source), variant=variant, target=str(unfinished))
    unfinished.rename(place)


def rates(given: argparse.Namespace, kept: Kept) -> None:
    """What the machine allows for each model, class and number of threads; the best of runs."""
    for model in given.models:
        cost = work(made(model, given.environments / "models"))
        for threads in given.threads:
            for precision in probe.BITS:
                key = f"{model} {threads} {precision}"
                try:
                    size = probe.weight_bytes(cost, precision)
                    found = probe.measured(given.environments, size, threads)
                except PeerError as fault:
                    kept.fail("the floor", fault)
                    return
                before = kept.about["rates"].get(key, {})
                best = probe.better(found, before)
                kept.about["rates"][key] = asdict(best)
                kept.floors[key] = probe.floors(cost, precision, best)


def visits(given: argparse.Namespace) -> Iterator[Visit]:
    """Round by round over all, beginning with another peer in each round."""
    for turn in range(given.rounds):
        start = turn % len(given.chosen)
        order = given.chosen[start:] + given.chosen[:start]
        for model in given.models:
            for threads in given.threads:
                for peer, variant in order:
                    yield Visit(
                        model=model, peer=peer, variant=variant, threads=threads,
                        busy=given.busy, tasks=tuple(given.tasks), round=turn,
                        new_tokens=QUICK_TOKENS if given.quick else 128,
                    )  # fmt: skip


if __name__ == "__main__":
    main()
