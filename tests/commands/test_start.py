"""From the start of a process to the first token of the default model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import loquent

STATUS = Path("/proc/self/status")
NUMPY = "from time import process_time; import numpy; print('seconds:', process_time())"
PROBE = (
    "from loquent.commands import run; from pathlib import Path; from time import process_time\n"
    "assert run(['generate', '--max-tokens', '1', '-q', 'Once']) == 0\n"
    f"print('seconds:', process_time(), Path({str(STATUS)!r}).read_text())"
)


def started() -> tuple[float, int]:
    """Processor time of a process up to its first token, in imports of NumPy, and its own bytes.

    In such imports, since how long a second is depends on the machine and on what else it does.
    Its own: how much of a library's file is mapped along with what is read differs by 8 MB with the
    way in which the file came into the system's cache.
    """
    surroundings = {key: value for key, value in os.environ.items() if "COV" not in key}
    told, unit = (
        subprocess.run(
            [sys.executable, "-c", code],
            env=surroundings,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for code in (PROBE, NUMPY)
    )
    seconds, one = (re.search(r"seconds: (\S+)", each) for each in (told, unit))
    own = re.search(r"RssAnon:\s+(\d+) kB", told)
    assert seconds is not None and one is not None and own is not None
    return float(seconds[1]) / float(one[1]), int(own[1]) * 1024


@pytest.mark.weights
@pytest.mark.skipif(not STATUS.exists(), reason="tells its memory on Linux only")
def test_the_first_token_comes_soon_and_in_little_memory(default_model: Path) -> None:
    """An import of NumPy takes 80 ms on a machine at rest, where the first token takes four.

    The figures are in docs/runtime.md.
    """
    packed = loquent.open(default_model).network.bytes
    started()  # where the files have just been fetched, it keeps only now what it learns
    runs = [started() for _ in range(5)]
    assert min(imports for imports, _ in runs) < 6
    assert min(memory for _, memory in runs) < 0.3 * packed
