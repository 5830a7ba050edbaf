"""From the start of a process to the first token of the default model."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import loquent

STATUS = Path("/proc/self/status")
PROBE = (
    "from loquent.commands import run; from pathlib import Path\n"
    "assert run(['generate', '--max-tokens', '1', '-q', 'Once']) == 0\n"
    f"print(Path({str(STATUS)!r}).read_text())"
)


def started() -> tuple[float, int]:
    """Seconds that a process takes, and its peak resident memory in bytes."""
    surroundings = {key: value for key, value in os.environ.items() if "COV" not in key}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=surroundings, capture_output=True, text=True, check=True
    )
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert peak is not None
    return time.perf_counter() - start, int(peak[1]) * 1024


@pytest.mark.weights
@pytest.mark.skipif(not STATUS.exists(), reason="tells its memory on Linux only")
def test_the_first_token_comes_soon_and_in_little_memory(default_model: Path) -> None:
    """The bounds are generous, since other processes may be busy: docs/runtime.md has figures."""
    packed = loquent.open(default_model).network.bytes
    started()  # where the files have just been fetched, it keeps only now what it learns
    runs = [started() for _ in range(5)]
    assert min(seconds for seconds, _ in runs) < 0.6
    assert min(memory for _, memory in runs) < 1.45 * packed
