"""Perplexity of a model in each precision, and of llama.cpp's on the same weights and tokens.

    python bench/perplexity.py TEXT [--model NAME] [--tokens N] [--context N]

TEXT is read as it is (WikiText-2's test part for the committed figures), cut into windows of
`context` tokens that do not overlap; every token but a window's first is scored. Writes
bench/results/perplexity.json and .md. llama.cpp is measured where llama-cpp-python is installed.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import metadata, util
from pathlib import Path

import numpy as np

import loquent
from loquent.checkpoints import hub
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.commands.info import machine as described
from loquent.engine.sampling import log_softmax
from loquent.lm.executor import open_executor
from loquent.lm.likelihood import likelihood

RESULTS = Path(__file__).parent / "results"
Score = Callable[[list[int]], float]  # log-probability of all tokens of a window but the first


def ours(checkpoint: Checkpoint, bits: int) -> tuple[Score, int]:
    """Loquent's native runtime; and the bytes of its packed file."""
    network = open_executor(checkpoint, runtime="native", bits=bits).network  # type: ignore[arg-type]

    def score(window: list[int]) -> float:
        return likelihood(network, window[:1], window[1:]).logprob

    return score, network.bytes  # type: ignore[attr-defined]


def theirs(checkpoint: Checkpoint, kind: str, context: int, folder: Path) -> tuple[Score, int]:
    """llama.cpp on the same weights, quantized by the gguf package."""
    import llama_cpp  # noqa: PLC0415

    path = folder / f"{kind}.gguf"
    write_gguf(checkpoint, kind, path)
    model = llama_cpp.Llama(
        str(path), n_ctx=context, n_batch=512, logits_all=True, verbose=False, n_threads=2
    )

    def score(window: list[int]) -> float:
        model.reset()
        model.eval(window)
        logprobs = log_softmax(np.array(model.scores[: len(window) - 1]))
        return float(logprobs[np.arange(len(window) - 1), window[1:]].sum())

    return score, path.stat().st_size


def write_gguf(checkpoint: Checkpoint, kind: str, path: Path) -> None:
    """The checkpoint's own GGUF file with its matrices in another type; norms stay as they are."""
    import gguf  # noqa: PLC0415

    assert checkpoint.path is not None
    reader = gguf.GGUFReader(checkpoint.path)
    wanted = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "llama")
    for name, field in reader.fields.items():
        if name.startswith(("GGUF.", "general.architecture", "general.file_type")):
            continue
        value, types = field.contents(), field.types
        if types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(name, value)
        else:
            writer.add_key_value(name, value, types[0])
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        values = values.reshape([int(each) for each in tensor.shape[::-1]])
        chosen = wanted if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, gguf.quants.quantize(values, chosen), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def systems(
    checkpoint: Checkpoint, context: int, folder: Path
) -> Iterator[tuple[str, Callable[[], tuple[Score, int]]]]:
    """Each system by its name, opened when its turn comes."""
    for bits, name in ((32, "f32"), (16, "bf16"), (8, "int8"), (4, "int4")):
        yield f"loquent {name}", lambda bits=bits: ours(checkpoint, bits)  # type: ignore[misc]
    if util.find_spec("llama_cpp") is None:
        print("llama.cpp is left out: llama-cpp-python is not installed", file=sys.stderr)
        return
    for kind in ("F32", "Q8_0", "Q4_0", "Q4_1"):
        yield (
            f"llama.cpp {kind}",
            lambda kind=kind: theirs(checkpoint, kind, context, folder),  # type: ignore[misc]
        )


def main() -> None:
    """Measure every system and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=40_960)
    parser.add_argument("--context", type=int, default=1024)
    given = parser.parse_args()
    checkpoint = Checkpoint.open(hub.resolve(given.model))
    assert checkpoint.tokenizer is not None
    raw = given.text.read_bytes()
    ids = checkpoint.tokenizer.encode(raw.decode("utf-8"))[: given.tokens]
    windows = [ids[start : start + given.context] for start in range(0, len(ids), given.context)]
    windows = [window for window in windows if len(window) > 1]
    count = sum(len(window) - 1 for window in windows)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, open_system in systems(checkpoint, given.context, Path(folder)):
            score, size = open_system()
            losses = [-score(window) for window in windows]
            rows.append(
                {"system": name, "perplexity": math.exp(sum(losses) / count), "bytes": size}
            )
            print(f"{name:<16} {rows[-1]['perplexity']:.4f}", flush=True)
    write(given, rows, count, raw)


def write(given: argparse.Namespace, rows: list[dict[str, object]], count: int, raw: bytes) -> None:
    """The figures as JSON, and as a table with the distance from f32."""
    machine = described()
    about = {
        "command": f"python bench/perplexity.py {given.text.name} --model {given.model} "
        f"--tokens {given.tokens} --context {given.context}",
        "text_sha256": sha256(raw).hexdigest(),
        "scored_tokens": count,
        "machine": machine,
        "llama-cpp-python": metadata.version("llama-cpp-python")
        if util.find_spec("llama_cpp")
        else None,
        "loquent": loquent.__version__,
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({**about, "rows": rows}, indent=2)
    (RESULTS / "perplexity.json").write_text(text + "\n", encoding="utf-8")
    best = float(rows[0]["perplexity"])  # type: ignore[arg-type]
    lines = [
        "# Perplexity by precision",
        "",
        f"{given.model} on {given.text.name}, {count} tokens scored, context {given.context} "
        "without overlap.",
        f"`{about['command']}`, {machine['processor']}, {machine['cpu_features']}.",
        "",
        "| system | perplexity | against our f32 | file, MB |",
        "|---|---|---|---|",
    ]
    for row in rows:
        found, size = float(row["perplexity"]), float(row["bytes"])  # type: ignore[arg-type]
        lines.append(
            f"| {row['system']} | {found:.4f} | {found / best - 1:+.2%} | {size / 1e6:.1f} |"
        )
    (RESULTS / "perplexity.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
