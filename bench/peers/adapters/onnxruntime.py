"""ONNX Runtime GenAI."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime_genai


def convert(source: Path, variant: str, target: Path) -> None:
    """Its own builder of models."""
    command = [
        *(sys.executable, "-m", "onnxruntime_genai.models.builder", "-e", "cpu"),
        *("-i", str(source), "-o", str(target), "-p", variant, "-c", str(target / "cache")),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])


class Model:
    """A model, and a generator for each call."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        config = onnxruntime_genai.Config(str(files))
        session = {"session_options": {"intra_op_num_threads": threads}}
        config.overlay(json.dumps({"model": {"decoder": session}}))
        self.model = onnxruntime_genai.Model(config)

    def prepare(self, rows: int, length: int) -> None:
        """How long a row may become."""
        self.length = length

    def generate(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """The likeliest tokens, past any end."""
        rows, length = len(prompts), len(prompts[0])
        options = onnxruntime_genai.GeneratorParams(self.model)
        options.set_search_options(
            max_length=length + count, min_length=length + count, do_sample=False, batch_size=rows
        )
        generator = onnxruntime_genai.Generator(self.model, options)
        generator.append_tokens(np.array(prompts, np.int32))
        for _ in range(count):
            generator.generate_next_token()
        return [list(map(int, generator.get_sequence(row)))[length:] for row in range(rows)]
