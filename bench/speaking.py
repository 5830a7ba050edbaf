"""How much work a second of speech takes, here and in ONNX Runtime, by the same graphs.

Run `python bench/speaking.py`. Both read the same phonemes on one thread; times are those of the
processor, the least of several runs, so that other programs count for little. It writes
bench/results/speaking.json.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import loquent
from loquent.checkpoints import hub
from loquent.checkpoints.files.onnx_program import open_program
from loquent.graphs.runner import Runner
from loquent.voices.opening import open_voice
from loquent.voices.spectral import FRAMES, PARTS
from loquent.voices.waves import Parts, mixed

RESULTS = Path(__file__).parent / "results" / "speaking.json"
TEXT = (
    "Twenty-three new rules cost four dollars and fifty cents. The quick brown fox jumps over it."
)


def least(work: Callable[[], Any], runs: int) -> float:
    """Seconds of the processor on this thread."""
    found = []
    for _ in range(runs):
        started = time.thread_time()
        work()
        found.append(time.thread_time() - started)
    return min(found)


def session(path: Path) -> Any:
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)


def spectral() -> dict[str, float]:
    """Hibari: the graph in 8 bits, in floats, and in ONNX Runtime; then the wave."""
    path = hub.resolve("hibari") / "hibari.onnx"
    voice = open_voice("hibari")
    phonemes = voice.pronounced(TEXT).phonemes
    ids = [0, *(voice.ids[each] for each in phonemes), 0]  # type: ignore[attr-defined]
    given = {"ids": np.array([ids]), "speed": np.ones(1, np.float32)}
    program, other = open_program(path), session(path)
    eight, floats = Runner(program, precision="int8"), Runner(program)
    made = eight.run(given)
    parts = Parts(*(made[each][0].T for each in PARTS))
    seconds = len(made["f0"][0]) * FRAMES.hop / FRAMES.rate
    taken = {
        "graph, 8 bits": least(lambda: eight.run(given), 20),
        "graph, floats": least(lambda: floats.run(given), 20),
        "graph, ONNX Runtime": least(lambda: other.run(None, given), 20),
        "wave": least(lambda: mixed(parts, FRAMES, np.random.default_rng(0)), 20),
        "text to phonemes": least(lambda: voice.pronounced(TEXT), 20),
    }
    return {name: each / seconds for name, each in taken.items()}


def vits() -> dict[str, float]:
    """Joe: the graph here and in ONNX Runtime."""
    (path,) = hub.resolve("joe").glob("*.onnx")
    ids = np.array([[1, *([20, 0, 61, 0, 15, 0] * 14), 2]])
    given = {
        "input": ids,
        "input_lengths": np.array([ids.shape[1]]),
        "scales": np.array([0, 1, 0], np.float32),
    }
    ours, other = Runner(open_program(path)), session(path)
    seconds = other.run(None, given)[0].size / 22_050
    taken = {
        "graph, floats": least(lambda: ours.run(given), 4),
        "graph, ONNX Runtime": least(lambda: other.run(None, given), 4),
    }
    return {name: each / seconds for name, each in taken.items()}


def main() -> None:
    """Measure both and write it down."""
    found = {"hibari": spectral(), "joe": vits()}
    told = {
        "command": "python bench/speaking.py",
        "unit": "seconds of the processor for a second of speech, on one thread",
        "versions": {"loquent": loquent.__version__, "onnxruntime": onnxruntime.__version__},
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "voices": {name: {k: round(v, 5) for k, v in each.items()} for name, each in found.items()},
    }
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(told["voices"], indent=2))


if __name__ == "__main__":
    main()
