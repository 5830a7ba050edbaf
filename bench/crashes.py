"""Trainings killed at random moments: does each go on as if nothing had been?

    python bench/crashes.py [--kills 200] [--pair-kills 30]

A `loquent train` is killed (SIGKILL), started again, killed again, until it ends. A third of the
kills fall inside the writing of a checkpoint, at a call of the system drawn by lot; one that falls
on a write lets half of it through. Once the training has ended, its weights, its optimizer's state
and the losses of all steps and evaluations must be those of a run that was never killed, bit by
bit. `--pair-kills` is the same with two ranks, of which one or both are killed. Writes
bench/results/crashes.json.
"""

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loquent.commands.info import machine
from loquent.errors import UserError
from loquent.training import checkpoints
from loquent.training.log import read_log
from trials import Fault, Outcome, Trials

RESULT = Path(__file__).parent / "results" / "crashes.json"
STEPS, EVERY = 24, 4
TRAIN = {
    "task": "generate",
    "out": "RUN",
    "network": "transformer",
    "tokenizer": "byte",
    "steps": STEPS,
    "batch": 4,
    "length": 16,
    "set": (
        "network.layers=1",
        "network.width=16",
        "network.heads=2",
        "network.feedforward=32",
        f"save.every={EVERY}",
        "evaluate.every=8",
        "evaluate.examples=8",
    ),
}


@dataclass(frozen=True)
class Course:
    """What a finished run has left: it must not depend on what happened on the way."""

    losses: Mapping[tuple[str, int], float]  # by ("train" or "eval", step)
    sha256: Mapping[str, str]  # of each file of weights
    seconds: float = field(compare=False)
    calls: Mapping[str, int] = field(compare=False)  # of the system, under checkpoints/


@dataclass
class Campaign:
    """Kills of one kind of training, and what became of it."""

    trials: Trials
    folder: Path
    job: str
    arguments: Mapping[str, Any]
    ranks: int
    generator: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    left_unfinished: int = 0  # kills that left a half-written checkpoint behind
    most_lost_steps: int = 0
    faults: list[str] = field(default_factory=list)

    def start(self, run: Path, **given: Any) -> Outcome:
        """Start a run, or start it again."""
        filled = json.loads(json.dumps(self.arguments).replace("RUN", str(run)))
        return self.trials.run(self.job, filled, ranks=self.ranks, **given)

    def unbroken(self) -> Course:
        """A run that nothing happens to; the second, as the first warms the machine up."""
        for name in ("warm", "whole"):
            run = self.folder / name
            fault = Fault(run / "checkpoints") if self.trials.library else None
            outcome = self.start(run, fault=fault)
            if any(outcome.statuses):
                raise RuntimeError(f"the training does not even run:\n{outcome.output}")
        return left(run, outcome)

    def kill(self, kills: int) -> Course:
        """Kill until there were enough kills; gives the unbroken course."""
        whole = self.unbroken()
        while self.kills.total() < kills and len(self.faults) < 5:
            run = self.folder / f"run-{self.runs}"
            self.runs += 1
            while True:
                outcome = self._one(run, whole, kills)
                if not killed(outcome):
                    break
                self._look(run)
            if any(outcome.statuses):  # it failed or hung, and nobody had killed it
                self.faults.append(f"a start failed with {outcome.statuses}: {outcome.output}")
            else:
                ended = left(run, outcome)
                if ended != whole:
                    self.faults.append(f"run {self.runs} ended otherwise than the unbroken one")
            shutil.rmtree(run)
        return whole

    def _one(self, run: Path, whole: Course, kills: int) -> Outcome:
        """One start, with a kill or, once there were enough, without."""
        done = self.kills.total()
        if done >= kills:
            return self.start(run)
        if done % 3 == 0 and self.trials.library is not None:
            kinds = [kind for kind, count in whole.calls.items() for _ in range(count)]
            kind = self.generator.choice(kinds)
            at = self.generator.randint(1, whole.calls[kind])
            outcome = self.start(run, fault=Fault(run / "checkpoints", kind, at, "kill"))
            what = f"inside a checkpoint, at {kind}"
        else:
            ranks = range(self.ranks)
            chosen = self.generator.choice([[rank] for rank in ranks] + [list(ranks)])
            after = self.generator.uniform(0, whole.seconds)
            outcome = self.start(run, kill_after_seconds=after, killed=chosen)
            what = f"at a random moment, rank {' and '.join(map(str, chosen))}"
        if killed(outcome):
            self.kills[what] += 1
        return outcome

    def _look(self, run: Path) -> None:
        """After a kill: what is there opens, and little is lost."""
        folder = run / "checkpoints"
        notes: list[str] = []
        if folder.is_dir():
            self.left_unfinished += any(folder.glob(".*.unfinished"))
        try:
            saved = checkpoints.newest(folder, notes.append, clean=False)
        except UserError as fault:
            self.faults.append(str(fault))
            return
        steps = [line.step for line in read_log(run / "log.jsonl", notes.append)]
        lost = max(steps, default=0) - (saved.values["step"] if saved else 0)
        self.most_lost_steps = max(self.most_lost_steps, lost)
        self.faults += notes

    def report(self, whole: Course) -> dict[str, object]:
        """The figures."""
        return {
            "ranks": self.ranks,
            "kills": self.kills.total(),
            "kills_inside_a_checkpoint": sum(
                count for what, count in self.kills.items() if what.startswith("inside")
            ),
            "kills_that_left_a_half_checkpoint": self.left_unfinished,
            "kills_by_place": dict(sorted(self.kills.items())),
            "runs_to_the_end": self.runs,
            "steps": max(step for _, step in whole.losses),
            "steps_between_checkpoints": EVERY,
            "most_steps_lost": self.most_lost_steps,
            "sha256": dict(whole.sha256),
            "faults": self.faults,
        }


def trained(data: Path) -> dict[str, list[str]]:
    """The arguments of `loquent train` for a tiny network; RUN stands for the run folder."""
    made = ["train", "--quiet", "--data", str(data)]
    for name, value in TRAIN.items():
        for each in value if isinstance(value, tuple) else (value,):
            made += [f"--{name}", str(each)]
    return {"arguments": made}


def killed(outcome: Outcome) -> bool:
    """Whether a rank was killed as planned: not because another had failed by itself, or hung."""
    planned = {rank for rank, status in enumerate(outcome.statuses) if status == -9}
    return not outcome.failed and bool(planned - set(outcome.swept))


def left(run: Path, outcome: Outcome) -> Course:
    """What a run has left."""
    last = checkpoints.path_of(run / "checkpoints", checkpoints.steps(run / "checkpoints")[-1])
    files = [last / "state.safetensors", *sorted((run / "model").glob("*.safetensors"))]
    lines = read_log(run / "log.jsonl", lambda _: None)
    return Course(
        losses={(line.kind, line.step): line.values["loss"] for line in lines},
        sha256={
            str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        },
        seconds=outcome.seconds,
        calls=outcome.counts if "calls {" in outcome.output else {},
    )


def main() -> None:
    """Kill, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pair-kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    given = parser.parse_args()
    reports = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name, Trials(Path(name) / "trials") as trials:
        data = Path(name) / "text.txt"
        data.write_text((Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8"))
        for ranks, kills in ((1, given.kills), (2, given.pair_kills)):
            campaign = Campaign(
                trials,
                Path(name) / f"ranks-{ranks}",
                "call",
                trained(data),
                ranks,
                random.Random(given.seed),
            )
            if kills:
                reports.append(campaign.report(campaign.kill(kills)))
                sys.stdout.write(json.dumps(reports[-1], indent=1) + "\n")
    write(given.result, reports, time.monotonic() - begun)
    if any(report["faults"] for report in reports):
        sys.exit("not every run went on as if nothing had been")


def write(path: Path, reports: list[dict[str, object]], seconds: float) -> None:
    """Write the figures with the machine they are of."""
    whole = {
        "campaigns": reports,
        "seconds": round(seconds, 1),
        "command": f"python {' '.join(sys.argv)}",
        "machine": machine(),
    }
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
