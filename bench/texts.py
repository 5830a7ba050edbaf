"""MiniLM embeds sentences: Loquent beside CTranslate2, ONNX Runtime and transformers, in one run.

    python bench/texts.py [--sentences 10000] [--rounds 3] [--threads 2] [--data ../shared/data]

The systems take turns, each in a new process that loads the model, embeds 200 sentences that are
not counted, and then all: English captions of Multi30k, in real lengths. Those that need it get
batches of 64 sentences of about the same length, cut into tokens by the same tokenizer, which is
part of the time. Every system's embeddings are compared with those of transformers in f32. Figures
go to bench/results/texts.json and texts.md; what is not installed is told there.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "texts.json"
BATCH = 64
WARM = 200  # sentences
REFERENCE = "transformers f32"
Embed = Callable[[Sequence[str]], np.ndarray]


def main() -> None:
    """Measure in turns and write the figures; or, as a child, measure one system."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--child", nargs=2, metavar=("SYSTEM", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], Path(given.child[1]), given)
        return
    rounds: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(given.rounds):
            for name in SYSTEMS:
                done = measured(name, Path(folder) / f"{name.replace(' ', '-')}.npy", given)
                print(f"round {turn + 1}: {name}: {done}", flush=True)
                if "seconds" in done:
                    rounds[name].append(done["seconds"])
                told[name] = done
        cosines = compared(Path(folder))
    record(given, rounds, told, cosines)
    print(RESULTS.with_suffix(".md").read_text(encoding="utf-8"))


def measured(name: str, path: Path, given: argparse.Namespace) -> dict[str, Any]:
    """One system in a process of its own."""
    command = [sys.executable, __file__, "--child", name, str(path)]
    command += ["--sentences", str(given.sentences), "--threads", str(given.threads)]
    command += ["--data", str(given.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no reason told"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def child(name: str, path: Path, given: argparse.Namespace) -> None:
    """Load, warm up, measure; the embeddings go to a file."""
    text = (given.data / "multi30k" / "train.en").read_text(encoding="utf-8")
    sentences = text.splitlines()[: given.sentences]
    began = time.perf_counter()
    embed = SYSTEMS[name](given.threads)
    loaded = time.perf_counter() - began
    embed(sentences[-WARM:])
    began = time.perf_counter()
    made = embed(sentences)
    seconds = time.perf_counter() - began
    np.save(path, made)
    print(json.dumps({"seconds": round(seconds, 3), "load_seconds": round(loaded, 3)}))


def batched(sentences: Sequence[str], embed: Embed) -> np.ndarray:
    """Embeddings in the order of the sentences, by batches of those of about the same length."""
    order = sorted(range(len(sentences)), key=lambda at: len(sentences[at]))
    made: dict[int, np.ndarray] = {}
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        made.update(zip(places, embed([sentences[at] for at in places]), strict=True))
    return np.stack([made[at] for at in range(len(sentences))])


def folder() -> str:
    """MiniLM's files."""
    from loquent.checkpoints import hub  # noqa: PLC0415  # so for all that only one system needs

    return str(hub.resolve("minilm"))


def rows(sentences: Sequence[str], tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Padded ids and which of them count, (B, T) each."""
    tokenizer.enable_padding()
    tokenizer.enable_truncation(256)
    found = tokenizer.encode_batch(list(sentences))
    return np.array([each.ids for each in found]), np.array([each.attention_mask for each in found])


def pooled(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of states (B, T, D), of unit length (B, D)."""
    made = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    unit: np.ndarray = made / np.linalg.norm(made, axis=-1, keepdims=True)
    return unit


def fast() -> Any:
    """The tokenizer that all the others share."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    return Tokenizer.from_file(f"{folder()}/tokenizer.json")


def ours(bits: int) -> Callable[[int], Embed]:
    """Loquent's native runtime."""

    def make(threads: int) -> Embed:
        import os  # noqa: PLC0415

        os.environ["LOQUENT_THREADS"] = str(threads)
        import loquent  # noqa: PLC0415

        return loquent.open("minilm", bits=bits).embed  # type: ignore[arg-type]

    return make


def transformers(threads: int) -> Embed:
    """transformers on torch, f32."""
    import torch  # noqa: PLC0415
    from transformers import BertModel  # noqa: PLC0415

    torch.set_num_threads(threads)
    model, tokenizer = BertModel.from_pretrained(folder()).eval(), fast()

    def embed(some: Sequence[str]) -> np.ndarray:
        ids, mask = rows(some, tokenizer)
        with torch.inference_mode():
            states = model(torch.from_numpy(ids), torch.from_numpy(mask)).last_hidden_state
        return pooled(states.numpy(), mask)

    return lambda sentences: batched(sentences, embed)


def ctranslate2(kind: str) -> Callable[[int], Embed]:
    """CTranslate2's encoder."""

    def make(threads: int) -> Embed:
        import ctranslate2  # noqa: PLC0415

        target = Path(tempfile.gettempdir()) / f"minilm-ct2-{ctranslate2.__version__}"
        if not target.exists():
            ctranslate2.converters.TransformersConverter(folder()).convert(str(target))
        encoder = ctranslate2.Encoder(str(target), compute_type=kind, intra_threads=threads)
        tokenizer = fast()

        def embed(some: Sequence[str]) -> np.ndarray:
            ids, mask = rows(some, tokenizer)
            given = [row[:count] for row, count in zip(ids.tolist(), mask.sum(1), strict=True)]
            states = np.array(encoder.forward_batch(given).last_hidden_state)
            return pooled(states, mask[:, : states.shape[1]])

        return lambda sentences: batched(sentences, embed)

    return make


def onnx(bits: int) -> Callable[[int], Embed]:
    """ONNX Runtime: exported by torch, in 8 bits by its own dynamic quantization."""

    def make(threads: int) -> Embed:
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(exported(bits), options)
        tokenizer = fast()

        def embed(some: Sequence[str]) -> np.ndarray:
            ids, mask = rows(some, tokenizer)
            given = {"ids": ids.astype(np.int64), "mask": mask.astype(np.int64)}
            return pooled(session.run(["states"], given)[0], mask)

        return lambda sentences: batched(sentences, embed)

    return make


def exported(bits: int) -> str:
    """The ONNX file, made once."""
    whole = Path(tempfile.gettempdir()) / "minilm-texts.onnx"
    if not whole.exists():
        import torch  # noqa: PLC0415
        from transformers import BertModel  # noqa: PLC0415

        class States(torch.nn.Module):  # its call takes more than ids and mask otherwise
            def __init__(self) -> None:
                super().__init__()
                self.model = BertModel.from_pretrained(folder(), attn_implementation="eager")

            def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
                states: torch.Tensor = self.model(input_ids=ids, attention_mask=mask)[0]
                return states

        example = torch.ones(2, 9, dtype=torch.long)
        axes = {name: {0: "texts", 1: "tokens"} for name in ("ids", "mask", "states")}
        torch.onnx.export(
            States().eval(), (example, example), str(whole), input_names=["ids", "mask"],
            output_names=["states"], dynamic_axes=axes, dynamo=False,
        )  # fmt: skip
    small = whole.with_suffix(".int8.onnx")
    if bits == 8 and not small.exists():
        from onnxruntime.quantization import quantize_dynamic  # noqa: PLC0415

        quantize_dynamic(whole, small)
    return str(small if bits == 8 else whole)


SYSTEMS: Mapping[str, Callable[[int], Embed]] = {
    REFERENCE: transformers,
    "loquent f32": ours(32),
    "ctranslate2 f32": ctranslate2("float32"),
    "onnxruntime f32": onnx(32),
    "loquent int8": ours(8),
    "ctranslate2 int8": ctranslate2("int8"),
    "onnxruntime int8": onnx(8),
}


def compared(place: Path) -> dict[str, tuple[float, float]]:
    """Least and mean cosine of each system's embeddings with the reference's."""
    found = {path.stem: np.load(path) for path in place.glob("*.npy")}
    reference = found.get(REFERENCE.replace(" ", "-"))
    if reference is None:
        return {}
    cosines = {name: (each * reference).sum(-1) for name, each in found.items()}
    return {name: (float(each.min()), float(each.mean())) for name, each in cosines.items()}


def record(
    given: argparse.Namespace,
    rounds: Mapping[str, list[float]],
    told: Mapping[str, Any],
    cosines: Mapping[str, tuple[float, float]],
) -> None:
    """Write the figures."""
    from loquent.commands.info import machine  # noqa: PLC0415

    known = {
        "machine": {**machine(), "python": platform.python_version()},
        "command": "python bench/texts.py",
        "sentences": given.sentences,
        "threads": given.threads,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": dict(rounds),
        "last": dict(told),
        "cosines": dict(cosines),
    }
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text("\n".join(table(known)) + "\n", encoding="utf-8")


def table(known: Mapping[str, Any]) -> Iterator[str]:
    """The figures as Markdown."""
    about = known["machine"]
    yield "# Embedding sentences\n"
    yield (
        f"MiniLM, {known['sentences']:,} English captions, {known['threads']} threads; "
        f"{about['processor']}, {about['cores']} cores, loquent {about['loquent']}. Systems in "
        "turn, medians; sentences a second with all that belongs to it.\n"
    )
    yield "| system | sentences/s | seconds (least to most) | cosine to f32: least, mean |"
    yield "|---|---|---|---|"
    for name, seconds in known["seconds"].items():
        if not seconds:
            yield f"| {name} | – | {known['last'][name].get('failed', '')} | |"
            continue
        middle = statistics.median(seconds)
        near = known["cosines"].get(name.replace(" ", "-"))
        told = f"{near[0]:.5f}, {near[1]:.5f}" if near else ""
        yield (
            f"| {name} | {known['sentences'] / middle:,.0f} | {middle:.1f} "
            f"({min(seconds):.1f} to {max(seconds):.1f}) | {told} |"
        )


if __name__ == "__main__":
    main()
