"""A data set far larger than memory: does reading, checking, storing and batching stay flat?

    python bench/data_memory.py [--gigabytes 10] [--folder /tmp]

Writes a JSON Lines file of that size, then in a process for each step: `data check`, the examples
of all records on disk, and 100 batches of each order. Writes bench/results/data_memory.json; ends
with 1 where a step took over 500 MB of memory.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from loquent.commands.info import machine
from loquent.data.check import check
from loquent.data.example import Example
from loquent.data.order import Batches, OrderConfig, Place
from loquent.data.records import records
from loquent.data.store import Store

RESULT = Path(__file__).parent / "results" / "data_memory.json"
MOST_BYTES = 500_000_000
RECORD_CHARACTERS = 4000


def make(path: Path, size: int) -> int:
    """Write a file of `size` bytes, every 1000th record twice; how many records it has."""
    generator = random.Random(0)
    licence = (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8")
    words = licence.split()
    text = " ".join(generator.choices(words, k=200_000)).replace("\\", "").replace('"', "")
    count = 0
    with path.open("w", encoding="utf-8", buffering=1 << 22) as file:
        written = 0
        while written < size:
            start = generator.randrange(len(text) - RECORD_CHARACTERS)
            body = text[start : start + generator.randrange(100, RECORD_CHARACTERS)]
            line = f'{{"text": "{count} {body}", "label": "{count % 5}"}}\n'
            again = 1 + (count % 1000 == 0)
            file.write(line * again)
            written += len(line) * again
            count += again
    return count


def step_check(path: Path) -> dict[str, object]:
    """All that `loquent data check` does."""
    report = check(path)
    return {"records": report.records, "duplicates": report.duplicates.count}


def step_store(path: Path) -> dict[str, object]:
    """Read again and write examples; every sixth byte stands for a token."""
    examples = (
        Example(
            np.frombuffer(each.values["text"].encode(), np.uint8)[::6].astype(np.int32),
            index=each.index,
        )
        for each in records(path)
    )
    store = Store.build(examples, path.with_name("store"))
    return {"examples": len(store), "tokens": store.tokens}


def step_batches(path: Path) -> dict[str, object]:
    """100 batches of each order, spread over the first epoch."""
    store = Store.open(path.with_name("store"))
    told: dict[str, object] = {}
    for order in ("shuffle", "bucket", "windows", "sequence"):
        started = time.perf_counter()
        config = OrderConfig(order=order, batch=32, length=1024, long="cut")
        batches = Batches(store, config)
        ready = time.perf_counter()
        for index in range(100):
            batches.at(Place(0, index * (batches.size(0) - 1) // 99))
        told[order] = {
            "ready_seconds": round(ready - started, 2),
            "batch_milliseconds": round(10 * (time.perf_counter() - ready), 2),
        }
    return told


STEPS = {"check": step_check, "store": step_store, "batches": step_batches}


def peak_bytes() -> int:
    """The most memory that this process ever held."""
    fields = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in fields if line.startswith("VmHWM:"))


def main() -> None:
    """Run the steps, each in a process of its own, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        started = time.perf_counter()
        told = STEPS[given.step](given.folder)
        told |= {"seconds": round(time.perf_counter() - started, 1), "peak_bytes": peak_bytes()}
        sys.stdout.write(json.dumps(told))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "large.jsonl"
        count = make(path, int(given.gigabytes * 1e9))
        report: dict[str, object] = {"bytes": path.stat().st_size, "records": count}
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step, "--folder", str(path)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            report[step] = json.loads(done.stdout)
            sys.stdout.write(f"{step}: {report[step]}\n")
    peaks = [report[step]["peak_bytes"] for step in STEPS]  # type: ignore[index]
    report |= {"command": f"python bench/data_memory.py --gigabytes {given.gigabytes:g}"}
    RESULT.write_text(json.dumps({**report, "machine": machine()}, indent=1) + "\n")
    if max(peaks) > MOST_BYTES:
        sys.exit("memory is not flat")


if __name__ == "__main__":
    main()
