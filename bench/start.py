"""How fast Loquent starts: help, import, and the whole way to the first token, as processes.

    python bench/start.py [--runs 9]

Writes bench/results/start.json with the machine, versions, command and spread.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from loquent.commands.info import machine

COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import loquent": [sys.executable, "-c", "import loquent"],
    "loquent --help": [sys.executable, "-m", "loquent", "--help"],
    "loquent generate --help": [sys.executable, "-m", "loquent", "generate", "--help"],
    "loquent tokens": [sys.executable, "-m", "loquent", "tokens", "Hello world"],
    "loquent generate, first token": [
        *(sys.executable, "-m", "loquent", "generate", "--max-tokens", "1", "-q", "Once"),
    ],
}


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Time each command and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs
    figures = {}
    for name, command in COMMANDS.items():
        seconds(command)  # files into the cache
        times = sorted(seconds(command) for _ in range(runs))
        figures[name] = {
            "median_seconds": round(statistics.median(times), 4),
            "least_seconds": round(times[0], 4),
            "most_seconds": round(times[-1], 4),
        }
        print(f"{name:<32} {statistics.median(times):.3f} s ({times[0]:.3f}–{times[-1]:.3f})")
    result = {"command": "python bench/start.py", "runs": runs, "machine": machine(), **figures}
    path = Path(__file__).parent / "results" / "start.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
