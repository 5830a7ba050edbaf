"""How far Loquent agrees with transformers and llama.cpp on the same GGUF file.

    python bench/agreement.py MODEL.gguf

transformers opens the folder that Loquent saves of the file, with the same dequantized weights;
llama.cpp reads the file itself and rounds activations to 8 bits. Writes
bench/results/agreement.json and .md with the machine, versions and command.
"""

import argparse
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LlamaForCausalLM

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.commands.info import machine
from loquent.engine.network import Tokens
from loquent.engine.torch_network import TorchNetwork, open_network

TOKENS = 64
PROMPTS = [
    "Once upon a time",
    "The capital of France is",
    "def fibonacci(n):\n",
    "In the year 1969, two astronauts",
    "Water boils at",
    "1, 2, 4, 8, 16,",
    "Dear customer,\n\nthank you for",
    "The three most important things about learning a language are",
    "«Le petit prince» est",
    "Q: Why is the sky blue?\nA:",
]


def our_logits(network: TorchNetwork, ids: list[int]) -> NDArray[np.float32]:
    """Logits (T, V) of all positions of one text."""
    count = len(ids)
    tokens = Tokens(
        np.array(ids, np.int32),
        np.zeros(count, np.int32),
        np.arange(count, dtype=np.int32),
        np.ones(count, np.bool_),
    )
    return network.step(network.new_memory(1, count), tokens)


def our_greedy(network: TorchNetwork, ids: list[int]) -> list[int]:
    """The likeliest tokens after a prompt, step by step."""
    memory = network.new_memory(1, len(ids) + TOKENS)
    unread, start, made = ids, 0, []
    for _ in range(TOKENS):
        count = len(unread)
        tokens = Tokens(
            np.array(unread, np.int32),
            np.zeros(count, np.int32),
            np.arange(start, start + count, dtype=np.int32),
            np.arange(count) == count - 1,
        )
        made.append(int(network.step(memory, tokens)[-1].argmax()))
        start, unread = start + count, made[-1:]
    return made


class LlamaCpp:
    """The same questions to llama.cpp."""

    def __init__(self, path: Path) -> None:
        from llama_cpp import Llama  # noqa: PLC0415  an optional peer

        self.model = Llama(str(path), n_ctx=512, logits_all=True, verbose=False, n_threads=2)

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits (T, V) of all positions of one text."""
        self.model.reset()
        self.model.eval(ids)
        return self.model.scores[: len(ids)].copy()

    def greedy(self, ids: list[int]) -> list[int]:
        """The likeliest tokens after a prompt, step by step."""
        self.model.reset()
        unread, made = ids, []
        for _ in range(TOKENS):
            self.model.eval(unread)
            made.append(int(self.model.scores[self.model.n_tokens - 1].argmax()))
            unread = made[-1:]
        return made


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-probabilities of each row."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def common(one: list[int], other: list[int]) -> int:
    """How many tokens at the start are equal."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))


def compared(
    ours: list[NDArray[np.float32]], theirs: list[NDArray[np.float32]]
) -> dict[str, float]:
    """Agreement of logits (T, V) position by position, over all texts."""
    a, b = log_softmax(np.concatenate(ours)), log_softmax(np.concatenate(theirs))
    divergence = (np.exp(a) * (a - b)).sum(-1)
    return {
        "positions": len(a),
        "same_likeliest_share": round(float((a.argmax(-1) == b.argmax(-1)).mean()), 5),
        "mean_divergence_nats": float(f"{divergence.mean():.3g}"),
        "largest_divergence_nats": float(f"{divergence.max():.3g}"),
    }


def transformers_answers(
    checkpoint: Checkpoint, prompts: list[list[int]], texts: list[list[int]]
) -> tuple[list[list[int]], list[NDArray[np.float32]]]:
    """Greedy answers to the prompts, and the logits of texts."""
    with TemporaryDirectory() as folder:
        checkpoint.save(Path(folder) / "model")
        model = LlamaForCausalLM.from_pretrained(Path(folder) / "model", dtype=torch.float32)
    model.generation_config.eos_token_id = None
    answers = []
    for ids in prompts:
        made = model.generate(torch.tensor([ids]), max_new_tokens=TOKENS, do_sample=False)
        answers.append(made[0, len(ids) :].tolist())
    with torch.no_grad():
        return answers, [model(torch.tensor([ids])).logits[0].numpy() for ids in texts]


def main() -> None:
    """Ask all three, and write down how far they agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    path = parser.parse_args().model
    checkpoint = Checkpoint.open(path)
    assert checkpoint.tokenizer is not None
    prompts = [checkpoint.tokenizer.encode(prompt) for prompt in PROMPTS]
    network = open_network(checkpoint.config, checkpoint.weights)
    ours = [our_greedy(network, ids) for ids in prompts]
    texts = [ids + answer for ids, answer in zip(prompts, ours, strict=True)]
    logits = [our_logits(network, ids) for ids in texts]
    peers = {"transformers": transformers_answers(checkpoint, prompts, texts)}
    try:
        peer = LlamaCpp(path)
        peers["llama.cpp"] = (
            [peer.greedy(ids) for ids in prompts],
            [peer.logits(ids) for ids in texts],
        )
    except ImportError:
        print("llama-cpp-python is not installed: llama.cpp is left out.")
    figures = {}
    for name, (answers, theirs) in peers.items():
        starts = [common(one, other) for one, other in zip(ours, answers, strict=True)]
        figures[name] = {
            "prompts": len(prompts),
            "equal_answers": sum(start == TOKENS for start in starts),
            "equal_tokens_at_the_start": starts,
            **compared(logits, theirs),
        }
    write(path, checkpoint, figures)


def write(path: Path, checkpoint: Checkpoint, figures: dict[str, dict[str, object]]) -> None:
    """Put the figures beside those of other questions."""
    packages = {}
    for name in ("torch", "transformers", "llama-cpp-python"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    result = {
        "command": f"python bench/agreement.py {path.name}",
        "model": {"file": path.name, "sha256": checkpoint.fingerprint},
        "tokens": TOKENS,
        "machine": machine(),
        "packages": packages,
        "agreement": figures,
    }
    target = Path(__file__).parent / "results" / "agreement.json"
    target.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = [
        f"# Agreement on {path.name}",
        "",
        f"Greedy, {TOKENS} tokens after each of {len(PROMPTS)} prompts; logits at every position "
        "of prompts and answers.",
        f"`{result['command']}`, {', '.join(f'{k} {v}' for k, v in packages.items())}.",
        "",
        "| peer | equal answers | equal tokens at the start | same likeliest token | "
        "mean divergence (nats) | largest |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in figures.items():
        starts = " ".join(map(str, row["equal_tokens_at_the_start"]))  # type: ignore[call-overload]
        lines.append(
            f"| {name} | {row['equal_answers']}/{row['prompts']} | {starts} | "
            f"{row['same_likeliest_share']:.2%} of {row['positions']} | "
            f"{row['mean_divergence_nats']} | {row['largest_divergence_nats']} |"
        )
    target.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
