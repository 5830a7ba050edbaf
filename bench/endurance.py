"""Many generations, some cancelled at a random point: is memory flat, is every block returned?

    python bench/endurance.py [--generations 10000] [--model smollm2-135m]

Writes bench/results/endurance.json; ends with 1 where resident memory grew by over 20 MB after the
first tenth, or where a block of keys and values was not returned.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

import loquent
from loquent.commands.info import machine
from loquent.engine.native_network import NativeMemory

RESULT = Path(__file__).parent / "results" / "endurance.json"
GROWTH_BYTES = 20_000_000


def resident_bytes() -> int:
    """What this process holds in memory now."""
    fields = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in fields if line.startswith("VmRSS:"))


def run(lm: loquent.LM, generations: int, generator: random.Random) -> dict[str, object]:
    """Keep up to eight answers under way, drawn and cancelled by chance."""
    text = (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8").split()
    streams: list[loquent.lm.stream.Stream] = []
    started = cancelled = shared = accepted = 0
    resident = []
    begun = time.perf_counter()
    while started < generations or streams:
        while len(streams) < 8 and started < generations:
            at = generator.randrange(len(text) - 40)
            words = text[at : at + generator.randrange(1, 40)]
            sampling = {"temperature": generator.choice([0.0, 0.8]), "seed": started}
            if generator.random() < 0.1:
                sampling["n"] = 2
            streams.append(
                lm.stream(" ".join(words), max_tokens=generator.randrange(1, 13), **sampling)
            )
            started += 1
            if started % (generations // 100) == 0:
                resident.append(resident_bytes())
        lm.advance(streams[0])
        for stream in list(streams):
            if not stream.done and generator.random() < 0.05:
                stream.cancel()
                cancelled += 1
            if stream.done:
                shared += stream.answer.shared_tokens
                accepted += stream.answer.accepted_tokens
                streams.remove(stream)
    return {
        "generations": started,
        "cancelled": cancelled,
        "shared_tokens": shared,
        "accepted_tokens": accepted,
        "seconds": round(time.perf_counter() - begun, 1),
        "resident_bytes": resident,
    }


def main() -> None:
    """Run, look for what is left, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=10_000)
    parser.add_argument("--model", default="smollm2-135m")
    given = parser.parse_args()
    lm = loquent.open(given.model, rows=8, kept_bytes=32 << 20)
    report = run(lm, given.generations, random.Random(0))
    memory = lm._engine._memory
    assert isinstance(memory, NativeMemory)
    held = memory.memory.used_blocks
    for row in list(lm._engine._prefixes._kept):
        memory.clear(row)
    settled = report["resident_bytes"][len(report["resident_bytes"]) // 10 :]
    report |= {
        "growth_bytes": max(settled) - settled[0],
        "blocks_kept_for_prefixes": held,
        "blocks_left": memory.memory.used_blocks,
        "command": f"python {' '.join(sys.argv)}",
        "machine": machine(),
    }
    RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps({**report, "resident_bytes": None}, indent=1) + "\n")
    if report["blocks_left"] or report["growth_bytes"] > GROWTH_BYTES:
        sys.exit("memory is not flat")


if __name__ == "__main__":
    main()
