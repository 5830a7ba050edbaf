"""Training beside its peers: nanoGPT's script and transformers' Trainer, on CPU cores.

    python bench/train_peers.py --nanogpt FOLDER [--shapes 10m 124m] [--rounds 5] [--steps 10]

All train GPT-2-shaped networks on the same random words: the same layers, batch, length and
threads, without dropout and compilation, gradients clipped, AdamW; in float32, and with products in
bfloat16 where the processor has them, which nanoGPT's script does not use on CPUs. FOLDER is a
checkout of https://github.com/karpathy/nanoGPT, whose train.py runs unchanged in a copy of it. Each
visit is a process of its own; rounds alternate. Writes bench/results/train_peers.json and .md.

Loquent runs twice, with the exact GELU that nanoGPT has and with the approximation of GPT-2 that
transformers has. Figures are the median step of each visit, without the first ones.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
SKIPPED = 3  # first steps of a visit, in which memory is taken for the first time
WANTED = {"nanogpt": 1.3, "trainer": 1.5}


@dataclass(frozen=True)
class Shape:
    """A network and what one step reads."""

    words: int
    layers: int
    width: int
    heads: int
    length: int
    batch: int

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return self.length * self.batch


SHAPES = {
    "tiny": Shape(words=65, layers=2, width=32, heads=2, length=32, batch=4),  # to try the bench
    # the batch and length of nanoGPT's README for CPUs
    "10m": Shape(words=65, layers=6, width=384, heads=6, length=64, batch=12),
    "124m": Shape(words=50257, layers=12, width=768, heads=12, length=64, batch=12),
}
# Our way with the same activation and precision as the peer behind it.
PAIRS = (
    ("loquent gelu f32", "nanogpt f32"),
    ("loquent gelu_tanh f32", "trainer f32"),
    ("loquent gelu_tanh bf16", "trainer bf16"),
    ("loquent gelu bf16", "nanogpt f32"),  # which has no bfloat16 on CPUs
)
VISITS = tuple(dict.fromkeys(each for pair in PAIRS for each in reversed(pair)))


def main() -> None:
    """Visit all peers in turn and write what was found."""
    given = arguments()
    if given.worker:
        sys.stdout.write(json.dumps(WORKERS[given.worker](given)) + "\n")
        return
    found: dict[str, Any] = {"about": about(given), "visits": []}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.shapes:
            (Path(folder) / name).mkdir()
            words(SHAPES[name], Path(folder) / name)
        for turn in range(given.rounds):
            for name in given.shapes:
                for peer in (each for each in VISITS if asked(each, given)):
                    visit = visited(peer, name, Path(folder) / name, given)
                    found["visits"].append({"round": turn, "shape": name, "peer": peer, **visit})
                    print(turn, name, peer, visit, flush=True)
                    given.output.write_text(json.dumps(found, indent=1), encoding="utf-8")
    text = markdown(found)
    given.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--nanogpt", type=Path, help="a checkout of nanoGPT; without it, it is left out")
    add("--shapes", nargs="+", choices=SHAPES, default=["10m", "124m"])
    add("--rounds", type=int, default=5)
    add("--steps", type=int, default=10, help=f"of a visit, behind the first {SKIPPED}")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)))
    add("--output", type=Path, default=RESULTS / "train_peers.json")
    add("--worker", choices=[*WORKERS], help=argparse.SUPPRESS)
    add("--shape", choices=SHAPES, help=argparse.SUPPRESS)
    add("--precisions", nargs="+", choices=("f32", "bf16"), default=["f32", "bf16"])
    add("--data", type=Path, help=argparse.SUPPRESS)
    add("--activation", default="gelu", help=argparse.SUPPRESS)
    add("--precision", default="f32", help=argparse.SUPPRESS)
    return parser.parse_args()


def asked(peer: str, given: argparse.Namespace) -> bool:
    """Whether it is at hand, in a precision that is wanted."""
    kind, _, rest = peer.partition(" ")
    return (kind != "nanogpt" or bool(given.nanogpt)) and rest.split()[-1] in given.precisions


def words(shape: Shape, folder: Path) -> None:
    """Random words of Zipf's frequencies as nanoGPT stores them."""
    import numpy as np  # noqa: PLC0415  only where data are made

    generator = np.random.default_rng(0)
    made = generator.zipf(1.2, 2_000_000) % shape.words
    made.astype(np.uint16).tofile(folder / "train.bin")
    made[:100_000].astype(np.uint16).tofile(folder / "val.bin")
    # where nanoGPT looks for the vocabulary: {"vocab_size": …} in pickle's first protocol
    (folder / "meta.pkl").write_text(f"(dp0\nVvocab_size\np1\nI{shape.words}\ns.")


def visited(peer: str, shape: str, data: Path, given: argparse.Namespace) -> dict[str, Any]:
    """One peer in a new process: seconds of each step, loss and memory."""
    kind, *activation, precision = peer.split()
    if kind == "nanogpt":
        return nanogpt(SHAPES[shape], data, given)
    words = ["--worker", kind, "--shape", shape, "--data", str(data), "--steps", str(given.steps)]
    words += ["--precision", precision, *(f"--activation={each}" for each in activation)]
    words += ["--threads", str(given.threads)]
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env=environment(given.threads),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{peer}: {done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def environment(threads: int) -> dict[str, str]:
    """The same number of threads for all."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def nanogpt(shape: Shape, data: Path, given: argparse.Namespace) -> dict[str, Any]:
    """nanoGPT's own script, which tells the milliseconds of each iteration."""
    settings = {
        "device": "cpu", "dtype": "float32", "compile": False, "dataset": "bench", "out_dir": "out",
        "eval_iters": 1, "eval_interval": 10**9, "log_interval": 1, "always_save_checkpoint": False,
        "gradient_accumulation_steps": 1, "batch_size": shape.batch, "block_size": shape.length,
        "n_layer": shape.layers, "n_head": shape.heads, "n_embd": shape.width, "bias": True,
        "dropout": 0.0, "max_iters": given.steps + SKIPPED, "warmup_iters": 1,
        "learning_rate": 3e-4,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name in ("train.py", "model.py", "configurator.py"):
            shutil.copy(given.nanogpt / name, folder)
        shutil.copytree(data, Path(folder) / "data" / "bench")
        words = [f"--{name}={value}" for name, value in settings.items()]
        done = subprocess.run(
            [sys.executable, "train.py", *words],
            cwd=folder,
            env=environment(given.threads),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"nanogpt: {done.stderr[-3000:]}")
    told = re.findall(r"^iter \d+: loss ([\d.]+), time ([\d.]+)ms", done.stdout, re.MULTILINE)
    # the first iteration is evaluated before it, the last is one more than was asked for
    return result([float(ms) / 1000 for _, ms in told[:-1]], [float(loss) for loss, _ in told])


def result(seconds: list[float], losses: list[float], memory: int = 0) -> dict[str, Any]:
    """What is kept of a visit."""
    return {
        "seconds": [round(each, 5) for each in seconds[SKIPPED:]],
        "losses": [round(losses[0], 4), round(losses[-1], 4)],
        "peak_bytes": memory,
    }


def loquent(given: argparse.Namespace) -> dict[str, Any]:
    """Our loop."""
    import numpy as np  # noqa: PLC0415  each worker has its own libraries
    import torch  # noqa: PLC0415

    from loquent.architecture import ModelConfig, StackConfig  # noqa: PLC0415
    from loquent.data.example import Example  # noqa: PLC0415
    from loquent.data.order import Batches, OrderConfig  # noqa: PLC0415
    from loquent.data.store import Store  # noqa: PLC0415
    from loquent.model.init import initialize  # noqa: PLC0415
    from loquent.model.model import Model  # noqa: PLC0415
    from loquent.training.loop import Learner  # noqa: PLC0415
    from loquent.training.settings import TrainingConfig  # noqa: PLC0415

    torch.set_num_threads(given.threads)
    shape = SHAPES[given.shape]
    text = np.fromfile(given.data / "train.bin", np.uint16).astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.build([Example(text)], Path(folder) / "store")
        order = OrderConfig(order="windows", batch=shape.batch, length=shape.length)
        stack = StackConfig(
            layers=shape.layers, width=shape.width, length=shape.length, heads=shape.heads,
            feedforward=4 * shape.width, activation=given.activation, attention_bias=True,
            output_bias=True, feedforward_bias=True,
        )  # fmt: skip
        model = Model(ModelConfig(vocabulary=shape.words, decoder=stack))
        initialize(model, 1)
        config = TrainingConfig(
            steps=given.steps + SKIPPED, rate=3e-4, warmup=1, precision=given.precision
        )
        seconds, losses, began = [], [], time.perf_counter()
        for step in Learner(model, Batches(store, order), config).steps():
            now = time.perf_counter()
            seconds.append(now - began)
            losses.append(step.loss)
            began = now
    return result(seconds, losses, peak_bytes())


def trainer(given: argparse.Namespace) -> dict[str, Any]:
    """transformers' Trainer with its own settings, nothing logged, saved or evaluated."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        GPT2Config,
        GPT2LMHeadModel,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    torch.set_num_threads(given.threads)
    shape = SHAPES[given.shape]
    text = np.fromfile(given.data / "train.bin", np.uint16).astype(np.int64)
    windows = torch.from_numpy(text[: len(text) // shape.length * shape.length])
    rows = [{"input_ids": row, "labels": row} for row in windows.view(-1, shape.length)]
    config = GPT2Config(
        vocab_size=shape.words, n_positions=shape.length, n_layer=shape.layers,
        n_embd=shape.width, n_head=shape.heads, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    seconds: list[float] = []
    last = [0.0]

    class Clock(TrainerCallback):
        def on_train_begin(self, *args: Any, **settings: Any) -> None:
            last[0] = time.perf_counter()

        def on_step_end(self, *args: Any, **settings: Any) -> None:
            now = time.perf_counter()
            seconds.append(now - last[0])
            last[0] = now

    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, use_cpu=True, per_device_train_batch_size=shape.batch,
            max_steps=given.steps + SKIPPED, learning_rate=3e-4, weight_decay=0.1, report_to="none",
            save_strategy="no", logging_strategy="no", disable_tqdm=True,
            bf16=given.precision == "bf16",
        )  # fmt: skip
        model = GPT2LMHeadModel(config)
        made = Trainer(model=model, args=settings, train_dataset=rows, callbacks=[Clock()])
        outcome = made.train()
    return result(seconds, [outcome.training_loss], peak_bytes())


WORKERS: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "loquent": loquent,
    "trainer": trainer,
}


def peak_bytes() -> int:
    """The most memory that this process had."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", text)[0]) * 1024


def about(given: argparse.Namespace) -> dict[str, Any]:
    """Under which conditions all was measured."""
    command = f"--shapes {' '.join(given.shapes)} --rounds {given.rounds} --steps {given.steps}"
    names = ("torch", "transformers", "loquent", "numpy")
    return {
        "command": f"python bench/train_peers.py --nanogpt FOLDER {command}",
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "system": platform.platform(),
        "threads": given.threads,
        "load_average": os.getloadavg()[0],
        "versions": {name: version(name) for name in names},
        "shapes": {name: asdict(SHAPES[name]) for name in given.shapes},
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The tables."""
    told = found["about"]
    lines = ["# Training: Loquent and its peers", "", f"`{told['command']}`, {told['date']}", ""]
    lines += [f"- {name}: {told[name]}" for name in ("system", "threads", "load_average")]
    lines += [f"- {name}: {each}" for name, each in told["versions"].items()]
    for name in told["shapes"]:
        shape = SHAPES[name]
        lines += ["", f"## {name}: {told['shapes'][name]}", ""]
        lines += ["| | tokens/s (lowest–highest round) | peak MB | ratio of each round | wanted |"]
        lines += ["| --- | ---: | ---: | ---: | ---: |"]
        speeds = {peer: speed(found, name, peer, shape.tokens) for peer in VISITS}
        for peer, each in speeds.items():
            if not each:
                continue
            lines += [f"| {peer} | {spread(each, 0)} | {memory(found, name, peer)} | | |"]
        for ours, peer in PAIRS:
            pairs = zip(speeds[ours], speeds[peer], strict=False)
            ratios = [one / other for one, other in pairs]
            if ratios:
                wanted = WANTED[peer.split()[0]]
                lines += [f"| {ours} / {peer} | | | {spread(ratios, 2)} | {wanted} |"]
    return "\n".join(lines) + "\n"


def speed(found: Mapping[str, Any], shape: str, peer: str, tokens: int) -> list[float]:
    """Tokens a second of each round, by its median step."""
    return [
        tokens / statistics.median(each["seconds"])
        for each in found["visits"]
        if (each["shape"], each["peer"]) == (shape, peer)
    ]


def memory(found: Mapping[str, Any], shape: str, peer: str) -> str:
    """The median of peaks in MB."""
    kept = [
        each["peak_bytes"]
        for each in found["visits"]
        if (each["shape"], each["peer"]) == (shape, peer)
    ]
    return f"{statistics.median(kept) / 1e6:.0f}" if any(kept) else ""


def spread(values: list[float], digits: int) -> str:
    """The median, the lowest and the highest."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


if __name__ == "__main__":
    main()
