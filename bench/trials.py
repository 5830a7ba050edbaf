"""Trainings that are made to fail: each a process of its own, forked from one that has torch.

Used by bench/crashes.py and by tests/training/test_crashes.py. Started as a program it is the
server that forks; `Trials` is its client. faults.c is preloaded into it, and armed in a child.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from loquent import commands
from loquent.architecture import ModelConfig, StackConfig
from loquent.data.example import Example
from loquent.data.order import Batches, OrderConfig
from loquent.data.store import Store
from loquent.errors import UserError
from loquent.model.init import initialize
from loquent.model.model import Model
from loquent.runs import execute, export  # noqa: F401  # of which each child is spared the import
from loquent.training import checkpoints
from loquent.training.log import Log
from loquent.training.loop import Learner
from loquent.training.ranks import ranks_of
from loquent.training.settings import TrainingConfig

HERE = Path(__file__).parent
KINDS = ("write", "fsync", "rename", "remove", "mkdir")
ACTIONS = ("fail", "full", "kill")


@dataclass(frozen=True)
class Fault:
    """Call number `at` (from 1) of a kind that goes wrong under a folder."""

    folder: Path
    kind: str = ""  # "" only counts
    at: int = 0
    action: str = "fail"
    error: int = 5  # EIO


@dataclass(frozen=True)
class Outcome:
    """How a trial ended."""

    statuses: Sequence[int]  # of each rank; -9: killed
    seconds: float
    output: str  # what all ranks wrote
    swept: Sequence[int]  # ranks that were killed as they did not end by themselves
    failed: bool  # a rank ended with an error before anything was done to it

    @property
    def counts(self) -> dict[str, int]:
        """How many calls of each kind there were, where a fault asked for it."""
        counts = dict.fromkeys(KINDS, 0)
        for line in self.output.splitlines():
            if line.startswith("calls {"):
                for kind, count in json.loads(line.removeprefix("calls ")).items():
                    counts[kind] += count
        return counts

    @property
    def saved(self) -> list[int]:
        """The steps whose checkpoints were written before the end."""
        lines = [line for line in self.output.splitlines() if line.startswith("saved ")]
        return [int(line.split()[1]) for line in lines]


def compiled(folder: Path) -> Path | None:
    """faults.c as a library; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    made = folder / "faults.so"
    source = str(HERE / "faults.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), source, "-ldl"], check=True
    )
    return made


class Trials:
    """The server's client, as a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.library = compiled(folder)
        self._number = 0

    def __enter__(self) -> "Trials":
        """Start the server."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if self.library is not None:
            environment["LD_PRELOAD"] = str(self.library)
        self._server = subprocess.Popen(
            [sys.executable, str(HERE / "trials.py"), str(self.library or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._answer() == {"ready": True}
        return self

    def __exit__(self, *_: object) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def run(
        self,
        job: str,
        arguments: Mapping[str, Any],
        *,
        ranks: int = 1,
        fault: Fault | None = None,
        kill_after_seconds: float | None = None,
        killed: Sequence[int] = (0,),
        timeout_seconds: float = 120.0,
    ) -> Outcome:
        """Run a job to its end, or kill the ranks in `killed` after a time.

        Where a rank has failed, the others are given five seconds to notice, as torchrun does.
        """
        self._number += 1
        output = self._folder / f"{self._number}.txt"
        request = {
            "job": job,
            "arguments": dict(arguments),
            "ranks": ranks,
            "port": free_port() if ranks > 1 else 0,
            "output": str(output),
            "fault": None if fault is None else {**vars(fault), "folder": str(fault.folder)},
        }
        self._ask(request)
        pids: list[int] = self._answer()["pids"]
        begun = time.monotonic()
        delivered = failed = False
        swept: set[int] = set()
        statuses: dict[int, int] = {}
        limit = timeout_seconds
        while len(statuses) < len(pids):
            now = time.monotonic() - begun
            if kill_after_seconds is not None and not delivered and now >= kill_after_seconds:
                for rank in killed:
                    if rank not in statuses:
                        os.kill(pids[rank], signal.SIGKILL)
                        delivered = True
            if now > limit:
                for rank, pid in enumerate(pids):
                    if rank not in statuses:
                        os.kill(pid, signal.SIGKILL)
                        swept.add(rank)
            self._ask({"wait": True})
            for rank, status in self._answer()["ended"]:
                failed |= status not in (0, -9) and not delivered and -9 not in statuses.values()
                statuses[int(rank)] = status
                if status:
                    limit = min(limit, time.monotonic() - begun + 5.0)
            if len(statuses) < len(pids):
                time.sleep(0.002)
        seconds = time.monotonic() - begun
        told = output.read_text(encoding="utf-8", errors="replace")
        output.unlink()
        ended = [statuses[rank] for rank in range(len(pids))]
        return Outcome(ended, seconds, told, sorted(swept), failed)

    def _ask(self, request: Mapping[str, Any]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError("the server of trials has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# What follows runs in the server and its children.


def serve(library: str) -> None:
    """Fork a child for each request; never start a thread, which would not live on in a child."""
    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # imports a second of Python
    answer({"ready": True})
    children: dict[int, int] = {}
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "wait" in request:
            ended = []
            for pid, rank in list(children.items()):
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    ended.append((rank, os.waitstatus_to_exitcode(status)))
                    del children[pid]
            answer({"ended": ended})
            continue
        for rank in range(request["ranks"]):
            pid = os.fork()
            if pid == 0:
                live(request, rank, library)
            children[pid] = rank
        answer({"pids": list(children)})


def answer(what: Mapping[str, Any]) -> None:
    """One line to the client."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def live(request: Mapping[str, Any], rank: int, library: str) -> None:
    """A child's whole life; it never returns."""
    status = 70
    try:
        out = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if request["ranks"] > 1:
            os.environ |= {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(request["ranks"]),
                "LOCAL_WORLD_SIZE": str(request["ranks"]),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(request["port"]),
            }
        faults = armed(library, request["fault"])
        status = JOBS[request["job"]](**request["arguments"])
        if faults is not None:
            counts = {kind: faults.faults_seen(place) for place, kind in enumerate(KINDS)}
            print("calls", json.dumps(counts), flush=True)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def armed(library: str, fault: Mapping[str, Any] | None) -> ctypes.CDLL | None:
    """Let the preloaded library make a call go wrong."""
    if fault is None:
        return None
    faults = ctypes.CDLL(library)
    faults.faults_seen.restype = ctypes.c_long
    kind = KINDS.index(fault["kind"]) if fault["kind"] else -1
    faults.faults_arm(
        os.fsencode(fault["folder"]),
        kind,
        ctypes.c_long(fault["at"]),
        ACTIONS.index(fault["action"]),
        fault["error"],
    )
    return faults


def call(arguments: Sequence[str]) -> int:
    """A command of Loquent."""
    return commands.run(list(arguments))


def learn(
    run: str, store: str, family: str = "transformer", steps: int = 24, every: int = 4
) -> int:
    """Train a tiny network on a store, with a checkpoint every so many steps; go on by itself."""
    torch.set_num_threads(1)  # results are compared bit by bit, which needs equal threads
    folder = Path(run) / "checkpoints"
    try:
        with ranks_of("cpu") as (ranks, device):
            first = ranks.rank == 0
            model = Model(network(family))
            initialize(model, 0)
            batches = Batches(Store.open(Path(store)), OrderConfig(batch=4, seed=3))
            config = TrainingConfig(steps=steps, rate=1e-2, ema=0.9, seed=5)
            learner = Learner(model, batches, config, ranks=ranks, device=device)
            saved = checkpoints.newest(folder, print) if first else None
            ranks.total([0.0])  # all wait for what the first puts in order
            if not first:
                saved = checkpoints.newest(folder, ignore, clean=False)
            if saved is not None:
                learner.restore(saved)
            log = Log(Path(run), resumed=learner.number) if first else None
            for step in learner.steps():
                if log is not None:
                    log.write("train", step.number, {"loss": step.loss, "tokens": step.tokens})
                if step.number % every == 0 or step.last:
                    state = learner.state()
                    if log is not None:
                        log.sync()
                        checkpoints.write(folder, step.number, state, last=2)
                        print("saved", step.number, flush=True)
            if log is not None:
                log.close()
    except UserError as error:
        print(f"loquent: {error}", flush=True)
        return error.exit_status
    return 0


def ignore(_: str) -> None:
    """A note that another rank tells."""


def network(family: str) -> ModelConfig:
    """A tiny network of a family, with dropout, so that every step needs its random numbers."""
    attentive = family in ("attention", "transformer")
    stack = StackConfig(
        layers=2,
        width=16,
        length=32,
        mixer="attention" if attentive else family,
        heads=2 if attentive else 1,
        positions="rotary" if attentive else "none",
        feedforward=0 if family == "attention" else 32,
        kernel=3 if family == "conv" else 0,
        dropout=0.1,
    )
    return ModelConfig(vocabulary=32, decoder=stack)


def store(folder: Path) -> Path:
    """Sixty examples of 8 to 24 ids that follow each other by a rule."""
    generator = np.random.default_rng(0)
    examples = []
    for index in range(60):
        begin, stride = generator.integers(0, 32, 2)
        ids = (begin + stride * np.arange(generator.integers(8, 25))) % 32
        examples.append(Example(ids=ids.astype(np.int32), index=index))
    Store.build(examples, folder)
    return folder


JOBS = {"call": call, "learn": learn}

if __name__ == "__main__":
    serve(sys.argv[1])
