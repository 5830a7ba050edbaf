"""One peer in a process of its own: requests as JSON lines on stdin, answers on stdout.

    python -P serve.py ADAPTER

Standard library only: it runs in every peer's environment. The adapter is run by its path, so that
its name hides no package. Requests:

    {"do": "convert", "source": FOLDER, "variant": NAME, "target": FOLDER}
    {"do": "load", "files": FOLDER, "variant": NAME, "threads": N}
    {"do": "prepare", "rows": N, "length": N}
    {"do": "generate", "prompts": [[ID, …], …], "count": N}
    {"do": "memory"}
"""

import json
import os
import runpy
import sys
import time
import traceback
from pathlib import Path
from typing import Any, TextIO


class Served:
    """An adapter and the model that it has loaded."""

    def __init__(self, adapter: str) -> None:
        self.adapter = runpy.run_path(adapter)
        self.model: Any = None

    def convert(self, source: str, variant: str, target: str) -> dict[str, Any]:
        """Make the peer's own files of a model."""
        self.adapter["convert"](Path(source), variant, Path(target))
        return {}

    def load(self, files: str, variant: str, threads: int) -> dict[str, Any]:
        """Open the files for so many threads."""
        start = time.perf_counter()
        self.model = self.adapter["Model"](Path(files), variant, threads)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "file_bytes": getattr(self.model, "file_bytes", None)}

    def prepare(self, rows: int, length: int) -> dict[str, Any]:
        """Make room for so many rows of so many tokens."""
        self.model.prepare(rows, length)
        return {}

    def generate(self, prompts: list[list[int]], count: int) -> dict[str, Any]:
        """Continue each prompt by exactly `count` of the likeliest tokens."""
        start = time.perf_counter()
        written = self.model.generate(prompts, count)
        seconds = time.perf_counter() - start
        lengths = {len(row) for row in written}
        if len(written) != len(prompts) or lengths != {count}:
            raise ValueError(f"wrote {len(written)} rows of {lengths}, not of {count} tokens")
        return {"seconds": seconds, "ids": written}

    def memory(self) -> dict[str, Any]:
        """The most memory that was resident so far, in bytes."""
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        found = {line.split(":")[0]: line.split()[1] for line in status if line.endswith(" kB")}
        return {"peak_bytes": 1024 * int(found["VmHWM"])}


def answers() -> TextIO:
    """A stream to the old stdout; what libraries print goes to stderr from now on."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def main() -> None:
    """Answer each line until there are no more; a failure is an answer too."""
    out = answers()
    served = Served(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(served, request.pop("do"))(**request)
        except Exception as fault:  # it is told, and the other side decides
            traceback.print_exc()
            answer = {"error": f"{type(fault).__name__}: {fault}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
