"""How much better Whisper hears spoken digits once it is tuned to them: before and after.

    python bench/dictation.py [--data FOLDER] [--set KEY=VALUE …]

Trains bench/recipes/fsdd-whisper-lora.toml (updates of low rank) on the Free Spoken Digit Dataset,
then has `loquent evaluate` judge the model before and after on the official test: takes 0 to 4 of
each speaker and digit. Figures go to bench/results/dictation.json and .md.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loquent.commands.info import machine
from quality import HERE, HOME, RECIPES, prepare, told_machine

RECIPE, MODEL = "fsdd-whisper-lora", "whisper-tiny.en"
RESULTS = HERE / "results" / "dictation.json"
METRICS = ("wer-normalized-en", "wer", "cer")


def main() -> None:
    """Train, judge, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    given = parser.parse_args()
    prepare(given.data, [RECIPE])
    out = HOME / "runs" / RECIPE
    shutil.rmtree(out, ignore_errors=True)
    command = ["train", str(RECIPES / f"{RECIPE}.toml"), "--out", str(out)]
    for each in given.sets:
        command += ["--set", each]
    run = told(*command)
    found = {
        "run": {name: run[name] for name in ("steps", "seconds", "test", "validation")},
        "before": judged(MODEL),
        "after": judged(str(out / "model")),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {**machine(), "python": platform.python_version()},
    }
    RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(table(found), encoding="utf-8")
    print(RESULTS.with_suffix(".md").read_text(encoding="utf-8"))


def judged(model: str) -> dict[str, Any]:
    """The scores of a model on the test."""
    report = told("evaluate", model, "--task", "transcribe", "--data", "fsdd/test.jsonl",
                  "--language", "en")  # fmt: skip
    scores = {each["name"]: each for each in report["scores"]}
    return {name: {part: scores[name][part] for part in ("value", "low", "high")}
            for name in METRICS}  # fmt: skip


def told(*command: str) -> dict[str, Any]:
    """What a command of loquent tells as JSON."""
    whole = [sys.executable, "-m", "loquent", *command, "--json"]
    done = subprocess.run(whole, stdout=subprocess.PIPE, text=True, check=True, cwd=HOME)
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def table(found: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    run = found["run"]
    lines = ["# Whisper tuned to spoken digits", "", told_machine(found["machine"]), ""]
    lines += [
        f"{MODEL}, `bench/recipes/{RECIPE}.toml`: {run['steps']} steps in "
        f"{run['seconds'] / 60:.1f} minutes; the official test of FSDD, 300 clips, judged by "
        "`loquent evaluate` in 8 bits. In brackets the 95 % interval.",
        "",
        "| | " + " | ".join(METRICS) + " |",
        "|---|" + "---|" * len(METRICS),
    ]
    for when in ("before", "after"):
        cells = [
            f"{100 * each['value']:.2f} % ({100 * each['low']:.2f} to {100 * each['high']:.2f})"
            for each in (found[when][name] for name in METRICS)
        ]
        lines.append(f"| {when} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
