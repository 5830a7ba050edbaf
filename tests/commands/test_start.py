"""From the start of a process to the first token of the default model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import loquent

STATUS = Path("/proc/self/status")
PROBE = (
    "from loquent.commands import run; from pathlib import Path; from time import process_time\n"
    "assert run(['generate', '--max-tokens', '1', '-q', 'Once']) == 0\n"
    f"print('seconds:', process_time(), Path({str(STATUS)!r}).read_text())"
)


def started() -> tuple[float, int]:
    """Processor seconds of a process up to its first token, and its own memory in bytes.

    Its own: how much of a library's file is mapped along with what is read differs by 8 MB with the
    way in which the file came into the system's cache.
    """
    surroundings = {key: value for key, value in os.environ.items() if "COV" not in key}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=surroundings, capture_output=True, text=True, check=True
    )
    seconds = re.search(r"seconds: (\S+)", done.stdout)
    own = re.search(r"RssAnon:\s+(\d+) kB", done.stdout)
    assert seconds is not None and own is not None
    return float(seconds[1]), int(own[1]) * 1024


@pytest.mark.weights
@pytest.mark.skipif(not STATUS.exists(), reason="tells its memory on Linux only")
def test_the_first_token_comes_soon_and_in_little_memory(default_model: Path) -> None:
    """The bounds are generous, and of processor time, since other processes may be busy.

    The figures of a machine at rest are in docs/runtime.md.
    """
    packed = loquent.open(default_model).network.bytes
    started()  # where the files have just been fetched, it keeps only now what it learns
    runs = [started() for _ in range(5)]
    assert min(seconds for seconds, _ in runs) < 0.6
    assert min(memory for _, memory in runs) < 0.3 * packed
