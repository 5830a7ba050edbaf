"""How fast single products are: each kind of weights, instruction set, shape and number of threads.

    python bench/kernels.py [--quick] [--kinds NAME …] [--sets NAME …] [--threads N …]

Weights come from memory, as in a step: a product takes the next of so many equal matrices that no
cache holds them; and once more from a single matrix, which a cache may hold. Writes
bench/results/kernels.json and .md with the share of the floor: bytes of the weights over the
measured bandwidth, or operations over the measured peak, whichever takes longer.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import loquent
from loquent.commands.info import machine as described
from loquent.native import Kind, instruction_sets
from loquent.native._core import pack_matrix, time_products
from peers import probe

RESULTS = Path(__file__).parent / "results"
SHAPES = {  # outputs, inputs
    "SmolLM2 key": (192, 576),
    "SmolLM2 query": (576, 576),
    "SmolLM2 up": (1536, 576),
    "SmolLM2 down": (576, 1536),
    "SmolLM2 head": (49152, 576),
    "GPT-2 query": (768, 768),
    "GPT-2 up": (3072, 768),
    "GPT-2 down": (768, 3072),
    "GPT-2 head": (50257, 768),
}
QUICK_SHAPES = ("SmolLM2 query", "SmolLM2 down", "GPT-2 up", "SmolLM2 head")
TOKENS = (1, 4, 8, 32, 512)
CLASSES = {
    Kind.F32: ("f32", "32-bit"),
    Kind.BF16: ("bf16", "16-bit"),
    Kind.INT8: ("int8", "8-bit"),
    Kind.INT4: ("int4", "4-bit"),
}
MEMORY_BYTES = 128 << 20  # more than the caches of one processor's two cores
SIZES = tuple(1 << each for each in range(18, 28))  # whose reading is measured, up to the last
RUNS = 5
FEW_TOKENS = (1, 32)  # for an instruction set that is not the machine's best


@dataclass(frozen=True, kw_only=True)
class Point:
    """One product under one set of conditions."""

    instruction_set: str
    kind: str
    threads: int
    shape: str
    tokens: int
    cached: bool  # one matrix again and again


def main() -> None:
    """Measure what is asked for and write the table."""
    given = arguments()
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        known = {threads: rates(Path(folder), threads) for threads in given.threads}
        for kind, shape, packed in matrices(given):
            for point in points(given, kind, shape):
                sample = {**asdict(point), **timed(point, kind, packed, given.seconds)}
                sample |= floor(sample, known[point.threads])
                samples.append(sample)
            print(CLASSES[kind][0], shape, flush=True)
    machine = described()
    about = {
        "command": "python bench/kernels.py" + " --quick" * given.quick,
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "loquent": loquent.__version__,
        "machine": machine,
        "load_average": os.getloadavg()[0],
        "limits": [
            f"{threads} thread{'s' * (threads > 1)}, {precision}: reads "
            f"{of[precision, MEMORY_BYTES].read_bytes_per_second / 1e9:.1f} GB/s from memory, "
            f"{of[precision, MEMORY_BYTES].operations_per_second / 2e9:.0f} G products/s at most"
            for threads, of in known.items()
            for _, precision in CLASSES.values()
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({**about, "samples": samples}, indent=1)
    given.output.write_text(text + "\n", encoding="utf-8")
    page = markdown(about, samples)
    given.output.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = [name for name, _ in CLASSES.values()]
    cores = len(os.sched_getaffinity(0))
    add = parser.add_argument
    add("--quick", action="store_true", help="four shapes, from memory only")
    add("--kinds", nargs="+", choices=kinds, default=kinds)
    add("--sets", nargs="+", choices=instruction_sets(), default=instruction_sets())
    add("--threads", nargs="+", type=int, default=list(dict.fromkeys([cores, 1])))
    add("--seconds", type=float, default=0.04, help="of one of the five runs of a product")
    add("--output", type=Path, default=RESULTS / "kernels.json")
    return parser.parse_args()


def matrices(given: argparse.Namespace) -> Iterator[tuple[Kind, str, Any]]:
    """Each kind and shape with a packed matrix of it."""
    rng = np.random.default_rng(0)
    for shape, (rows, columns) in SHAPES.items():
        if given.quick and shape not in QUICK_SHAPES:
            continue
        weights = rng.standard_normal((rows, columns), np.float32)
        for kind, (name, _) in CLASSES.items():
            if name in given.kinds:
                yield kind, shape, pack_matrix(weights, int(kind), max(given.threads))


def points(given: argparse.Namespace, kind: Kind, shape: str) -> Iterator[Point]:
    """What is measured with one matrix; a head reads no whole prompts."""
    for name in given.sets:
        for threads in given.threads:
            for tokens in TOKENS if name == instruction_sets()[0] else FEW_TOKENS:
                if shape.endswith("head") and tokens > 32:
                    continue
                for cached in (False,) if given.quick else (False, True):
                    yield Point(
                        instruction_set=name, kind=CLASSES[kind][0], threads=threads,
                        shape=shape, tokens=tokens, cached=cached,
                    )  # fmt: skip


def timed(point: Point, kind: Kind, packed: Any, seconds: float) -> dict[str, float]:
    """Seconds of one product: the median, the least and the most of some runs."""
    rows, columns = SHAPES[point.shape]
    copies = 1 if point.cached else max(1, MEMORY_BYTES // packed.nbytes)

    def run(products: int, runs: int) -> list[float]:
        return time_products(
            packed, int(kind), rows, columns, point.tokens, copies, products, runs,
            point.threads, point.instruction_set,
        )  # fmt: skip

    first = min(run(1, 2))
    runs = RUNS if first < 0.1 else 2
    found = run(max(1, int(seconds / first)), runs)
    return {
        "median_seconds": median(found),
        "least_seconds": min(found),
        "most_seconds": max(found),
        "weight_bytes": packed.nbytes,
    }


def rates(folder: Path, threads: int) -> dict[tuple[str, int], probe.Rates]:
    """What the machine allows, by class and bytes."""
    wanted = {
        f"{precision} {size}": (precision, size)
        for _, precision in CLASSES.values()
        for size in SIZES
    }
    found = probe.measured(folder, wanted, threads)
    return {wanted[name]: each for name, each in found.items()}


def floor(sample: dict[str, Any], known: dict[tuple[str, int], probe.Rates]) -> dict[str, float]:
    """Rates, and the share of what no product can pass."""
    rows, columns = SHAPES[sample["shape"]]
    size, seconds = sample["weight_bytes"], sample["median_seconds"]
    products = rows * columns * sample["tokens"]
    precision = next(each for name, each in CLASSES.values() if name == sample["kind"])
    read = size if sample["cached"] else MEMORY_BYTES
    limit = known[precision, max(each for each in SIZES if each <= max(read, SIZES[0]))]
    by_reading = size / limit.read_bytes_per_second
    by_products = 2 * products / limit.operations_per_second
    return {
        "products_per_second": products / seconds,
        "weight_bytes_per_second": size / seconds,
        "of_peak": by_products / seconds,
        "of_floor": max(by_reading, by_products) / seconds,
    }


def markdown(about: dict[str, Any], samples: list[dict[str, Any]]) -> str:
    """A table for each instruction set, number of threads and kind of weights."""
    lines = [
        "# Single products",
        "",
        f"`{about['command']}`, {about['date']}, {about['machine']['processor']}, "
        f"{about['machine']['cpu_features']}; load average {about['load_average']:.2f}.",
        "",
        "Median thousand millions of products a second (G), weights read in GB/s, and the share "
        "of the floor; least and most in kernels.json. From memory; a cached matrix in brackets.",
        "",
    ]
    lines += [f"- {name}" for name in about["limits"]]
    keys = dict.fromkeys((s["instruction_set"], s["threads"], s["kind"]) for s in samples)
    for key in keys:
        some = [s for s in samples if (s["instruction_set"], s["threads"], s["kind"]) == key]
        found = {(s["shape"], s["tokens"], s["cached"]): s for s in some}
        lines += ["", f"## {key[2]}, {key[0]}, {key[1]} thread{'s' * (key[1] > 1)}", ""]
        titles = [f"{tokens} token{'s' * (tokens > 1)}" for tokens in TOKENS]
        lines += [f"| matrix | {' | '.join(titles)} |", f"|---|{'---:|' * len(TOKENS)}"]
        for shape in dict.fromkeys(s["shape"] for s in some):
            cells = [
                " ".join(
                    form.format(_cell(found[shape, tokens, cached]))
                    for cached, form in ((False, "{}"), (True, "[{}]"))
                    if (shape, tokens, cached) in found
                )
                or "–"
                for tokens in TOKENS
            ]
            rows, columns = SHAPES[shape]
            lines.append(f"| {shape}, {rows} × {columns} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(sample: dict[str, Any]) -> str:
    speed, read = sample["products_per_second"] / 1e9, sample["weight_bytes_per_second"] / 1e9
    return f"{speed:.1f} G, {read:.1f} GB/s, {sample['of_floor']:.0%}"


if __name__ == "__main__":
    main()
