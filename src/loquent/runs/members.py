"""The runs of a comparison, each carried out by a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from loquent.runs.plan import Plan, plain

Note = Callable[[str], None]

_MODULE = "loquent.runs.member"
_LAST_BYTES = 4096  # of what a process said before it died


@dataclass(frozen=True)
class Job:
    """One run of a comparison, and what is measured of it behind its training."""

    name: str  # of its folder, below the comparison's
    label: str  # of its network
    plan: Plan
    lengths: tuple[int, ...]
    gaps: tuple[int, ...]
    shared: Path  # where its tokenizer and its examples are prepared


@dataclass(frozen=True)
class Told:
    """How far a run is."""

    share: float
    loss: float
    seconds: float


def carried_out(
    job: Job, note: Note, on_told: Callable[[Told], None], stop: Callable[[], bool]
) -> str | None:
    """Carry out one run: "" where it is done, why not where it failed, None where it was stopped.

    `stop` is asked at whatever the process tells; the run is then saved and ends.
    """
    asked = {"plan": plain(job.plan), "lengths": job.lengths, "gaps": job.gaps}
    with TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is ours, and told to it
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asked))
            process.stdin.close()
            end: Mapping[str, Any] = {}
            stopping = False
            for line in process.stdout:
                told = json.loads(line)
                if "note" in told:
                    note(told["note"])
                elif "share" in told:
                    on_told(Told(**told))
                else:
                    end = told
                if not stopping and stop():
                    stopping = True
                    process.terminate()
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            process.stdout.close()
        if "fault" in end:
            return str(end["fault"])
        if end.get("done"):
            return ""
        return None if stopping or end else _died(process.returncode, errors)


def _died(status: int, errors: BinaryIO) -> str:
    """Why a process ended that has not said so itself."""
    if status < 0:
        name = signal.Signals(-status).name
        short = ", perhaps since the memory was short" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{short}"
    errors.seek(max(errors.seek(0, 2) - _LAST_BYTES, 0))
    last = errors.read().decode(errors="replace").strip().splitlines()
    return f"its process failed: {last[-1] if last else f'status {status}'}"
