"""How well networks trained here do, from scratch, on real data, in how much time.

    python bench/quality.py NAME … [--seeds 1 2 3] [--data ../shared/data] [--set KEY=VALUE …]

Each NAME is a file of bench/recipes/, a plan that `loquent train` takes as it is. The data are
brought into the shape of records first, outside the repository. A run's figures go to
bench/results/quality.json, by recipe and seed, and into the table quality.md; a run that is there
already is measured anew. What a figure is compared with stands in TARGETS.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from corpora import SETS, SOURCES
from loquent.commands.info import machine

HERE = Path(__file__).parent
RECIPES = HERE / "recipes"
RESULTS = HERE / "results" / "quality.json"
HOME = Path(os.environ.get("LOQUENT_HOME", "~/.cache/loquent")).expanduser() / "bench" / "quality"

# recipe: (metric, what it is to reach, who reached it)
TARGETS = {
    "shakespeare": ("loss", 1.80, "nanoGPT prints 1.88 for this budget"),
    "shakespeare-10": ("loss", 1.80, "as above; nanoGPT's GPU figure is 1.47"),
    "imdb-bag": ("accuracy", 0.881, "fastText, unigrams"),
    "imdb-text-conv": ("accuracy", 0.875, "bentrevett"),
    "imdb-lstm": ("accuracy", 0.862, "bentrevett"),
    "sst2-minilm": ("accuracy", 0.88, "frozen MiniLM with logistic regression: 0.81"),
    "sst2-minilm-lora": ("accuracy", 0.88, "as above"),
    "chnsenticorp": ("accuracy", 0.90, "1,200 of dev, none of which is learned"),
    "chnsenticorp-split": ("accuracy", 0.90, "as published: 339 of these 1,200 are learned, too"),
    "chnsenticorp-text-conv": ("accuracy", 0.90, "1,200 of dev, none of which is learned"),
    "chnsenticorp-lstm": ("accuracy", 0.90, "1,200 of dev, none of which is learned"),
    "chnsenticorp-more": ("accuracy", 0.90, "the same with reviews of shops learned too"),
    "sentiment-zh": ("accuracy", 0.88, "reviews that are none of ChnSentiCorp's"),
    "thucnews": ("accuracy", 0.88, "33,590 titles"),
    "thucnews-lstm": ("accuracy", 0.88, "33,590 titles"),
    "thucnews-text-conv": ("accuracy", 0.88, "33,590 titles"),
    "sms": ("accuracy", 0.985, "each message once"),
    "sms-bag": ("accuracy", 0.985, "each message once"),
    "sms-lstm": ("accuracy", 0.985, "each message once"),
    "sst2-lstm": ("accuracy", 0.82, "6,920 training sentences"),
    "sst2-lstm-vectors": ("accuracy", 0.82, "6,920 training sentences, and the vectors of MiniLM"),
    "sst2-lstm-imdb": ("accuracy", 0.82, "the same behind 23,749 reviews of IMDB"),
    "multi30k-de-en-transformer": ("bleu", 36.5, "bentrevett"),
    "multi30k-de-en-gru": ("bleu", 28.3, "bentrevett"),
    "fsdd-command": ("accuracy", 0.99, "takes 0 to 4 of each speaker and digit"),
    "fsdd-ctc": ("wer", 0.01, "0.99 of the digits, each letter right"),
    "multi30k-en-de-transformer": ("bleu", 39.0, "Revisit-MMT: 41.0, tokenized, beam 5"),
    "multi30k-en-de-gru": ("bleu", 39.0, "Revisit-MMT: 41.0, tokenized, beam 5"),
    "tatoeba-en-zh": ("bleu", "", "of everyday sentences, by characters"),
    "squad-minilm": ("f1", 0.70, "DrQA's reader, from all of SQuAD: 0.789"),
}

# recipe: as what `loquent evaluate` judges its model on the test data, too
_PAIRS = "--task translate --bits 32 --beams 5"
ASKED = {
    "multi30k-de-en-transformer": f"{_PAIRS} --columns source=de,target=en --from de --to en",
    "multi30k-de-en-gru": f"{_PAIRS} --columns source=de,target=en --from de --to en",
    "multi30k-en-de-transformer": f"{_PAIRS} --columns source=en,target=de --from en --to de",
    "multi30k-en-de-gru": f"{_PAIRS} --columns source=en,target=de --from en --to de",
    "tatoeba-en-zh": "--task translate --beams 4 --columns source=en,target=zh --from en --to zh",
    "squad-minilm": "--task answer --bits 32",
}


def main() -> None:
    """Prepare the data, train, and write the figures."""
    given = arguments()
    prepare(given.data, given.names)
    for name in given.names:
        for seed in given.seeds:
            record(name, seed, given.sets, trained(name, seed, given.sets))
            print(RESULTS.with_suffix(".md").read_text(encoding="utf-8"))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = sorted(path.stem for path in RECIPES.glob("*.toml"))
    parser.add_argument("names", nargs="+", choices=known, metavar="NAME", help=", ".join(known))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--data", type=Path, default=HERE.parent.parent / "shared" / "data", metavar="FOLDER"
    )
    return parser.parse_args()


def trained(name: str, seed: int, sets: list[str]) -> dict[str, Any]:
    """One run of `loquent train`: its own result, and the times of the whole process."""
    out = HOME / "runs" / f"{name}-{seed}"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "loquent", "train", str(RECIPES / f"{name}.toml")]
    command += ["--out", str(out), "--json", "--set", f"training.seed={seed}"]
    for each in sets:
        command += ["--set", each]
    began, computed = time.monotonic(), computing_seconds()
    told = told_by(command)
    if name in ASKED:
        told["evaluated"] = evaluated(name, out)
    for place in ("folder", "model"):  # paths of this machine
        told.pop(place)
    return {
        **told,
        "process_seconds": round(time.monotonic() - began, 1),
        "computing_seconds": round(computing_seconds() - computed, 1),
    }


def told_by(command: list[str]) -> Any:
    """What a command writes as JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=HOME)
    return json.loads(done.stdout)


def evaluated(name: str, run: Path) -> dict[str, Any]:
    """The scores that `loquent evaluate` gives to a run on its test data, by their names."""
    (test,) = tomllib.loads((RECIPES / f"{name}.toml").read_text(encoding="utf-8"))["data"]["test"]
    command = [sys.executable, "-m", "loquent", "evaluate", str(run), "--data", test, "--json"]
    report = told_by([*command, *ASKED[name].split()])
    return {score["name"].partition("-")[0]: score for score in report["scores"]}  # bleu-zh: bleu


def computing_seconds() -> float:
    """What processes that ended have computed so far: seconds of all their cores together."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def record(name: str, seed: int, sets: list[str], result: Mapping[str, Any]) -> None:
    """Add a run to the figures."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known.setdefault("runs", {}).setdefault(name, {})[str(seed)] = {
        "command": " ".join(["loquent train", f"bench/recipes/{name}.toml", *sets]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {**machine(), "python": platform.python_version()},
        **result,
    }
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(table(known), encoding="utf-8")


def prepare(data: Path, recipes: Iterable[str]) -> None:
    """Write each set that a recipe names as records, once."""
    asked = "".join((RECIPES / f"{name}.toml").read_text(encoding="utf-8") for name in recipes)
    for name, make in SETS.items():
        folder = HOME / name
        if f'"{name}/' not in asked:
            continue
        if folder.exists() or not (data / SOURCES[name]).exists():
            continue
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(data / SOURCES[name], unfinished)
        unfinished.rename(folder)


def table(known: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    machines = list(dict.fromkeys(told_machine(run["machine"]) for run in _runs(known)))
    lines = ["# Trained here", "", *(f"{at}. {told}" for at, told in enumerate(machines, 1)), ""]
    lines += ["Minutes are by the clock, often beside other work that slowed or paused it; core"]
    lines += ["minutes are what the whole run has computed, preparing and judging included.", ""]
    heads = ("recipe", "figure", "of", "wanted", "seeds", "minutes", "core minutes", "steps")
    lines += [f"| {' | '.join(heads)} | tokens/s | machine |", f"|{'---|' * (len(heads) + 2)}"]
    for name, runs in sorted(known["runs"].items()):
        metric, wanted, who = TARGETS.get(name, ("loss", "", ""))
        part = "test" if all(run["test"] for run in runs.values()) else "validation"
        told = "; ".join(figures(metric, runs, part, name))
        seconds = statistics.mean(run["seconds"] for run in runs.values())
        speed = statistics.mean(run["tokens"] / run["seconds"] for run in runs.values())
        steps = next(iter(runs.values()))["steps"]
        computed = [each for run in runs.values() if (each := run.get("computing_seconds"))]
        cores = f"{statistics.mean(computed) / 60:.1f}" if computed else ""
        where = sorted({machines.index(told_machine(run["machine"])) + 1 for run in runs.values()})
        lines.append(
            f"| {name} | {told} | {part} | {wanted} ({who}) | {', '.join(sorted(runs))} "
            f"| {seconds / 60:.1f} | {cores} | {steps:,} | {speed:,.0f} "
            f"| {', '.join(map(str, where))} |"
        )
    return "\n".join(lines) + "\n"


def _runs(known: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [run for runs in known["runs"].values() for run in runs.values()]


def figures(
    metric: str, runs: Mapping[str, Mapping[str, Any]], part: str, name: str
) -> Iterator[str]:
    """A recipe's figure by the training itself, and as `loquent evaluate` gives it."""
    for kind, how in ((part, ""), ("evaluated", f"by `loquent evaluate {ASKED.get(name)}`: ")):
        found = [each[metric] for run in runs.values() if metric in (each := run.get(kind, {}))]
        if found:
            value = statistics.mean(score["value"] for score in found)
            low, high = found[0]["low"], found[0]["high"]
            yield f"{how}{metric} {value:.4g} (95 % of the first seed: {low:.4g} to {high:.4g})"


def told_machine(about: Mapping[str, Any]) -> str:
    """One line about the machine."""
    kept = ("loquent", "system", "processor", "cores", "cpu_features")
    versions = ", ".join(f"{name} {each}" for name, each in sorted(about["packages"].items()))
    return ", ".join(f"{name}: {about[name]}" for name in kept) + f"; {versions}"


if __name__ == "__main__":
    main()
