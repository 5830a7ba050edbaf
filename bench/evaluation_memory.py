"""Whether an evaluation's memory stays flat: its peak at 10,000 and at 100,000 examples.

    python bench/evaluation_memory.py [--examples 10000 100000]

Each size is a process of its own: `loquent evaluate` of a model that comes with the package, with
all metrics, report and pages. Writes bench/results/evaluation_memory.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loquent.commands.info import machine

RESULTS = Path(__file__).parent / "results" / "evaluation_memory.json"
TEXTS = {"positive": "房间很干净，服务也好", "negative": "质量太差，后悔买了"}


def main() -> None:
    """Measure each size, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, nargs="+", default=[10_000, 100_000])
    sizes = parser.parse_args().examples
    with tempfile.TemporaryDirectory() as folder:
        found = [measured(size, Path(folder)) for size in sizes]
    result = {"machine": machine(), "command": "python bench/evaluation_memory.py", "runs": found}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def measured(size: int, folder: Path) -> dict[str, float]:
    """One evaluation in a process of its own."""
    data, names = folder / f"{size}.jsonl", list(TEXTS)
    with data.open("w", encoding="utf-8") as file:
        for number in range(size):
            name = names[number % 2]
            row = {
                "text": f"{TEXTS[name]}，第{number}条",
                "label": names[(number % 7 + number) % 2],
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    began = time.perf_counter()
    program = (
        "import resource, sys\n"
        "from loquent.commands import run\n"
        "status = run(sys.argv[1:])\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(f'peak {peak}', file=sys.stderr)\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "evaluate", "sentiment-zh", "--task", "classify", "--data",
         str(data), "--out", str(folder / f"out-{size}"), "--by", "label"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kilobytes = int(done.stderr.rpartition("peak ")[2])
    return {
        "examples": size,
        "peak_memory_bytes": kilobytes * 1024,
        "seconds": round(time.perf_counter() - began, 1),
    }


if __name__ == "__main__":
    main()
