"""The real default model: greedy answers are those of transformers on the same numbers."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.engine.network import Tokens
from loquent.engine.torch_network import open_network

pytestmark = [pytest.mark.weights, pytest.mark.slow]

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


@pytest.fixture(scope="module")
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    """$LOQUENT_TEST_MODEL, or the default model; skips where neither can be had."""
    named = os.environ.get("LOQUENT_TEST_MODEL")
    return Checkpoint.open(Path(named) if named else request.getfixturevalue("default_model"))


@pytest.fixture(scope="module")
def saved(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real") / "model"
    checkpoint.save(folder)
    return folder


def greedy(checkpoint: Checkpoint, prompts: list[list[int]]) -> list[list[int]]:
    """The likeliest tokens after each prompt, all prompts in one batch, ends ignored."""
    network = open_network(checkpoint.config, checkpoint.weights)
    memory = network.new_memory(len(prompts), max(map(len, prompts)) + TOKENS)
    unread, made = [list(prompt) for prompt in prompts], [[] for _ in prompts]
    starts = [0] * len(prompts)
    for _ in range(TOKENS):
        flat = [
            (id, row, starts[row] + place, place == len(ids) - 1)
            for row, ids in enumerate(unread)
            for place, id in enumerate(ids)
        ]
        columns = [np.array(each) for each in zip(*flat, strict=True)]
        ids, rows, positions = (each.astype(np.int32) for each in columns[:3])
        logits = network.step(memory, Tokens(ids, rows, positions, columns[3]))
        for row, chosen in enumerate(logits.argmax(-1).tolist()):
            starts[row] += len(unread[row])
            unread[row] = [chosen]
            made[row].append(chosen)
    return made


def test_greedy_answers_are_those_of_transformers(checkpoint: Checkpoint, saved: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(saved)
    assert checkpoint.tokenizer is not None
    prompts = [checkpoint.tokenizer.encode(prompt) for prompt in PROMPTS]
    assert prompts == [tokenizer(prompt).input_ids for prompt in PROMPTS]
    ours = greedy(checkpoint, prompts)
    model = LlamaForCausalLM.from_pretrained(saved, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None  # go on past the end, as ours does
    for ids, answer in zip(prompts, ours, strict=True):
        # If each token is their likeliest after all before it, the whole is their greedy answer.
        with torch.no_grad():
            logits = model(torch.tensor([ids + answer])).logits[0, len(ids) - 1 : -1]
        assert answer == logits.argmax(-1).tolist()
    # Their own loop, which takes ten seconds for each; bench/agreement.py runs it for all ten.
    ids = torch.tensor(prompts[:1])
    made = model.generate(ids, max_new_tokens=TOKENS, do_sample=False)[0, ids.shape[1] :]
    assert ours[0] == made.tolist()


def test_logits_are_those_of_transformers(checkpoint: Checkpoint, saved: Path) -> None:
    ids = checkpoint.tokenizer.encode(" ".join(PROMPTS))
    model = LlamaForCausalLM.from_pretrained(saved, dtype=torch.float32).eval()
    with torch.no_grad():
        theirs = model(torch.tensor([ids])).logits[0].numpy()
    network = open_network(checkpoint.config, checkpoint.weights)
    count = len(ids)
    tokens = Tokens(
        np.array(ids, np.int32),
        np.zeros(count, np.int32),
        np.arange(count, dtype=np.int32),
        np.ones(count, np.bool_),
    )
    ours = network.step(network.new_memory(1, count), tokens)
    # Both in single precision over 30 layers; logits reach 30, whose step is 2e-6.
    assert float(abs(ours - theirs).max()) < 2e-3
