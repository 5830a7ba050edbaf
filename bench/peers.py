"""Loquent beside its peers: llama.cpp, OpenVINO, CTranslate2, ONNX Runtime, vLLM, transformers.

    python bench/peers.py [--quick] [--minutes N] [--resume] [--peers NAME …] [--models NAME …]

Builds each peer in an environment of its own, makes the models, lets each peer convert them with
its own tools, and measures all of them in turn, several rounds, each in a new process: with all
cores, with one thread, and beside a second process that keeps one core busy. Writes
bench/results/peers.json after every process and peers.md at the end; `--resume` goes on where a
run was cut off. What cannot be installed or run is told there with the reason.

    python bench/peers.py speech …

hears and speaks beside peers of speech instead (bench/peers/speech.py), and

    python bench/peers.py text …

embeds and translates sentences (bench/peers/texts.py).
"""

import argparse
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from peers import measure, probe, report
from peers.environments import PeerError, interpreter, versions
from peers.kept import Kept, name_of
from peers.measure import TASKS, Visit
from peers.models import MODELS, made, work
from peers.process import Process
from peers.race import why_not, without_failed
from peers.table import PEERS

RESULTS = Path(__file__).parent / "results"
CONVERT_SECONDS = 1800.0
ONCE = ("context 1024",)  # tasks of the first round only
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Setting:
    """Under which conditions, and which tasks there."""

    threads: int
    busy: bool
    tasks: tuple[str, ...]
    quick: tuple[str, ...]  # the tasks of a quick run


SETTINGS = {
    "all": Setting(CORES, False, tuple(TASKS), tuple(TASKS)[:4]),
    "one": Setting(1, False, tuple(TASKS)[:4], tuple(TASKS)[:3]),
    "busy": Setting(CORES, True, tuple(TASKS)[:3], ("prefill", "decode 1")),
}


@dataclass(frozen=True)
class Pace:
    """How long a run takes."""

    minutes: float  # in all; visits that do not fit are told
    rounds: int
    seconds: float  # for each figure of decoding
    answer_seconds: float  # a peer that is silent for longer is ended


FULL, QUICK = Pace(55, 5, 3.0, 120), Pace(15, 1, 0.5, 120)


def main() -> None:
    """Measure what is asked for and write the tables."""
    if sys.argv[1:2] == ["speech"]:
        from peers import speech  # noqa: PLC0415  it has a command line of its own

        speech.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["text"]:
        from peers import texts  # noqa: PLC0415  so has it

        texts.main(sys.argv[2:])
        return
    given = arguments()
    given.output.parent.mkdir(parents=True, exist_ok=True)
    kept = Kept(given.output, given.resume)
    kept.about["command"] = command(given)
    kept.about["date"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs
    pythons = environments(given, kept)
    files = converted(given, pythons, kept)
    rates(given, kept)
    try:
        run(given, pythons, files, kept)
    except KeyboardInterrupt:
        kept.fail("the run", "was interrupted; --resume goes on")
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
    names = ", ".join(f"{name}:{each}" for name, peer in PEERS.items() for each in peer.variants)
    add("--peers", nargs="+", metavar="NAME[:PRECISION]", default=list(PEERS), help=f"of {names}")
    add("--models", nargs="+", choices=MODELS, default=list(MODELS))
    add("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    add("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    add("--quick", action="store_true", help="one round of short answers: does everything run?")
    add("--minutes", type=float, help=f"at most ({FULL.minutes}; quick: {QUICK.minutes})")
    add("--rounds", type=int, help=f"at most ({FULL.rounds}; quick: {QUICK.rounds})")
    add("--seconds", type=float, help=f"a figure ({FULL.seconds}; quick: {QUICK.seconds})")
    add("--answer-seconds", type=float, help="a peer that is silent for longer is ended")
    add("--resume", action="store_true", help="keep the figures of the last run and go on")
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
    add("--output", type=Path, default=RESULTS / "peers.json")
    given = parser.parse_args()
    given.environments = given.environments.resolve()
    given.reuse = {
        name: Path(path) for name, _, path in (each.partition("=") for each in given.reuse)
    }
    given.chosen = []
    for name, _, variant in (each.partition(":") for each in given.peers):
        if name not in PEERS or (variant and variant not in PEERS[name].variants):
            parser.error(f"there is no peer {name}:{variant}; --help lists them")
        usual = [each for each in PEERS[name].variants if each not in PEERS[name].extra]
        given.chosen += [(name, each) for each in ([variant] if variant else usual)]
    pace = QUICK if given.quick else FULL
    for name in ("minutes", "rounds", "seconds", "answer_seconds"):
        if getattr(given, name) is None:
            setattr(given, name, getattr(pace, name))
    return given


def command(given: argparse.Namespace) -> str:
    """How this run was called, less the places of files on this machine."""
    words = ["python", "bench/peers.py"]
    for name, usual in (("peers", PEERS), ("models", MODELS), ("settings", SETTINGS)):
        if getattr(given, name) != list(usual):
            words += [f"--{name}", *getattr(given, name)]
    words += ["--tasks", *given.tasks] if given.tasks != list(TASKS) else []
    words += ["--quick"] if given.quick else []
    words += [f"--minutes {given.minutes:g} --rounds {given.rounds} --seconds {given.seconds:g}"]
    return f"{shlex.join(words[:-1])} {words[-1]}"


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
                # ours depend on a source that changes, and are packed at once where they are kept
                if not place.exists() or not PEERS[name].packages:
                    print(f"converting {model} for {name} {variant}", file=sys.stderr, flush=True)
                    convert(pythons[name], name, variant, source, place)
                found[model, name, variant] = place
            except PeerError as fault:
                why = str(fault).replace(f"{home}/", "")  # a path of this machine only
                kept.fail(f"{name} {variant}, {model} (not converted)", why)
    return found


def convert(python: Path, name: str, variant: str, source: Path, place: Path) -> None:
    """Let a peer make its own files, which get their name when they are whole."""
    unfinished = place.with_name(f".{place.name}")
    for old in (unfinished, place):
        if old.is_symlink():
            old.unlink()
        shutil.rmtree(old, ignore_errors=True)
    with Process(python, PEERS[name].path, os.cpu_count() or 1, CONVERT_SECONDS) as process:
        process.ask("convert", source=str(source), variant=variant, target=str(unfinished))
    unfinished.rename(place)


def rates(given: argparse.Namespace, kept: Kept) -> None:
    """What the machine allows for each model, class and number of threads; the best of runs."""
    costs = {model: work(made(model, given.environments / "models")) for model in given.models}
    wanted = dict.fromkeys(PEERS[name].variants[variant] for name, variant in given.chosen)
    for threads in dict.fromkeys(SETTINGS[each].threads for each in given.settings):
        sizes = {
            f"{model} {threads} {precision}": (precision, probe.weight_bytes(cost, precision))
            for model, cost in costs.items()
            for precision in wanted
        }
        try:
            found = probe.measured(given.environments, sizes, threads)
        except PeerError as fault:
            kept.fail("the floor", fault)
            return
        for key, each in found.items():
            best = probe.better(each, kept.about["rates"].get(key, {}))
            kept.about["rates"][key] = asdict(best)
            kept.floors[key] = probe.floors(costs[key.split()[0]], sizes[key][0], best)


def run(
    given: argparse.Namespace,
    pythons: dict[str, Path],
    files: dict[tuple[str, str, str], Path],
    kept: Kept,
) -> None:
    """Make the visits that are worth it, as long as there is time."""
    end = time.monotonic() + 60 * given.minutes
    for each in visits(given):
        beside = kept.of(each.model, each.threads, each.busy)
        visit = without_failed(each, beside)
        place = files.get((visit.model, visit.peer, visit.variant))
        if place is None or kept.has(visit):
            continue
        reason = why_not(visit, beside, kept.of(visit.model, CORES, False))
        if reason:
            kept.about["not again"][name_of(visit)] = reason
            continue
        if time.monotonic() > end:
            where = f"round {visit.round + 1}, {name_of(visit)}"
            kept.fail("the run", f"{given.minutes:g} minutes were over before {where}")
            return
        kept.add(visit, measure.measured(visit, pythons[visit.peer], PEERS[visit.peer], place))


def visits(given: argparse.Namespace) -> Iterator[Visit]:
    """Round by round over all, beginning with another peer in each round."""
    for turn in range(given.rounds):
        start = turn % len(given.chosen)
        order = given.chosen[start:] + given.chosen[:start]
        for setting in (SETTINGS[each] for each in given.settings):
            tasks = setting.quick if given.quick else setting.tasks
            for model in given.models:
                for peer, variant in order:
                    yield Visit(
                        model=model, peer=peer, variant=variant, threads=setting.threads,
                        busy=setting.busy, round=turn, seconds=given.seconds,
                        tasks=tuple(
                            each
                            for each in tasks
                            if each in given.tasks and (turn == 0 or each not in ONCE)
                        ),
                        answer_seconds=given.answer_seconds,
                    )  # fmt: skip


if __name__ == "__main__":
    main()
