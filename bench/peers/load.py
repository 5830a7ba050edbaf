"""How busy the machine is beside what is measured, and a process that keeps a core busy."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def average() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


class Foreign:
    """Cores that others used between two moments: all that ran, less the measured process."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._start = (time.monotonic(), _all_seconds(), _own_seconds(process))

    def cores(self) -> float:
        """Since this object was made."""
        began, everything, own = self._start
        passed = max(time.monotonic() - began, 1e-3)
        used = (_all_seconds() - everything) - (_own_seconds(self._process) - own)
        return round(max(0.0, used / passed), 2)


@contextlib.contextmanager
def busy_core(wanted: bool) -> Iterator[None]:
    """Another program that takes the first core as far as the system lets it."""
    if not wanted:
        yield
        return
    core = min(os.sched_getaffinity(0))
    code = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _all_seconds() -> float:
    """Processor seconds that were used since the start of the machine."""
    words = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, hard, soft = map(int, words[:7])
    return (user + nice + system + hard + soft) / TICKS


def _own_seconds(process: int) -> float:
    """Processor seconds of a process with its threads and ended children."""
    text = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    return sum(map(int, text.rpartition(")")[2].split()[11:15])) / TICKS
