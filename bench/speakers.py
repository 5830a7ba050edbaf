"""How well commands and spoken digits are understood of speakers whom a network has never heard.

    python bench/speakers.py RECIPE … [--speakers NAME …] [--data FOLDER] [--set KEY=VALUE …]

Each RECIPE of bench/recipes/ (fsdd-speakers; fsdd-speakers-voices, which also hears two voices of
ours; fsdd-speakers-accents, which also hears a synthesizer with accents) is trained once for each
speaker of the Free Spoken Digit Dataset, and hears nothing of that one. Figures go to
bench/results/speakers.json and .md.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loquent.commands.info import machine
from quality import HERE, HOME, RECIPES, prepare, told_machine
from sounds import SPEAKERS

RESULTS = HERE / "results" / "speakers.json"


def main() -> None:
    """Train for each speaker, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--speakers", nargs="+", choices=SPEAKERS, default=list(SPEAKERS))
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    given = parser.parse_args()
    prepare(given.data, given.recipes)
    for recipe in given.recipes:
        for speaker in given.speakers:
            record(recipe, speaker, given.sets, trained(recipe, speaker, given.sets))
    print(RESULTS.with_suffix(".md").read_text(encoding="utf-8"))


def trained(recipe: str, speaker: str, sets: list[str]) -> dict[str, Any]:
    """One run of `loquent train` without a speaker, judged by all of that speaker's clips."""
    out = HOME / "runs" / f"{recipe}-{speaker}"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "loquent", "train", str(RECIPES / f"{recipe}.toml")]
    command += ["--out", str(out), "--json"]
    for each in (*without(recipe, speaker), *sets):
        command += ["--set", each]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=HOME)
    told: dict[str, Any] = json.loads(done.stdout)
    return {name: told[name] for name in ("steps", "seconds", "test", "validation")}


def without(recipe: str, speaker: str) -> list[str]:
    """Settings by which a recipe's data are those without a speaker."""
    plan = tomllib.loads((RECIPES / f"{recipe}.toml").read_text(encoding="utf-8"))
    named = {
        part: [each.replace("fsdd/", f"fsdd/{speaker}/") for each in files]
        for part, files in plan["data"].items()
        if part in ("train", "validation", "test")
    }
    return [f"data.{part}={json.dumps(files)}" for part, files in named.items()]


def record(recipe: str, speaker: str, sets: list[str], result: Mapping[str, Any]) -> None:
    """Add a run to the figures."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    runs = known.setdefault("runs", {}).setdefault(recipe, {})
    where = {**machine(), "python": platform.python_version()}
    date = time.strftime("%Y-%m-%d", time.gmtime())
    runs[speaker] = {"date": date, "sets": sets, "machine": where, **result}
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(table(known), encoding="utf-8")


def table(known: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    every = [run for runs in known["runs"].values() for run in runs.values()]
    machines = list(dict.fromkeys(told_machine(run["machine"]) for run in every))
    lines = ["# Speakers who were never heard", ""]
    lines += [*(f"{number}. {told}" for number, told in enumerate(machines, 1)), ""]
    lines += ["| recipe | speaker | accuracy (whole answers) | 95 % interval | clips | machine |"]
    lines += ["|---|---|---|---|---|---|"]
    for recipe, runs in sorted(known["runs"].items()):
        scores = {speaker: run["test"]["accuracy"] for speaker, run in sorted(runs.items())}
        for speaker, score in scores.items():
            bounds = f"{score['low']:.3f} to {score['high']:.3f}"
            place = machines.index(told_machine(runs[speaker]["machine"])) + 1
            figures = f"{score['value']:.4f} | {bounds} | {score['examples']} | {place}"
            lines.append(f"| {recipe} | {speaker} | {figures} |")
        mean = sum(score["value"] for score in scores.values()) / len(scores)
        lines.append(f"| {recipe} | mean of {len(scores)} | {mean:.4f} | | | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
