"""One peer that hears or speaks, once, in a process of its own; what was measured goes to stdout.

    python -P speech_visit.py ADAPTER REQUEST

Standard library and NumPy only: it runs in every peer's environment. REQUEST is JSON:

    {"do": "hear", "files": FOLDER, "variant": NAME, "threads": N, "batch": N, "sound": WAV}
    {"do": "speak", "files": FOLDER, "variant": NAME, "threads": N, "text": TEXT}

Opening is timed apart. Before the clock starts a few seconds are heard, or a sentence is spoken, so
that nobody pays for what is done once.
"""

import json
import os
import runpy
import sys
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np

WARM_SECONDS, WARM_TEXT = 5, "This is a sentence to begin with."


def samples_of(path: str) -> Any:
    """The samples of a wav of 16,000 a second and 16 bits, from -1 to 1."""
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def hear(adapter: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Write down a sound."""
    samples = samples_of(given["sound"])
    started = time.perf_counter()
    ear = adapter["Ear"](Path(given["files"]), given["variant"], given["threads"], given["batch"])
    opened = time.perf_counter() - started
    ear.hear(samples[: WARM_SECONDS * 16_000])
    started, used = time.perf_counter(), time.process_time()
    text = ear.hear(samples)
    return {
        "open_seconds": opened,
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - used,
        "sound_seconds": len(samples) / 16_000,
        "text": text,
    }


def speak(adapter: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Speak a text."""
    started = time.perf_counter()
    mouth = adapter["Mouth"](Path(given["files"]), given["variant"], given["threads"])
    opened = time.perf_counter() - started
    for _ in mouth.pieces(WARM_TEXT):
        pass
    started, used, first, count = time.perf_counter(), time.process_time(), 0.0, 0
    for piece in mouth.pieces(given["text"]):
        first = first or time.perf_counter() - started
        count += len(piece)
    return {
        "open_seconds": opened,
        "first_seconds": first,
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - used,
        "sound_seconds": count / mouth.rate,
    }


def main() -> None:
    """Do what is asked; what libraries print goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    given = json.loads(sys.argv[2])
    made = {"hear": hear, "speak": speak}[given["do"]](runpy.run_path(sys.argv[1]), given)
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    out.write(json.dumps({**made, "peak_bytes": 1024 * int(peak)}) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
