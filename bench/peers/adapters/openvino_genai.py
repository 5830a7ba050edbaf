"""OpenVINO GenAI's pipeline for language models."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import openvino_genai


def convert(source: Path, variant: str, target: Path) -> None:
    """Optimum's exporter, which rounds the weights with NNCF."""
    command = [
        *(str(Path(sys.executable).with_name("optimum-cli")), "export", "openvino"),
        *("--model", str(source), "--task", "text-generation-with-past"),
        *("--weight-format", variant, str(target)),
    ]
    if variant == "int4":
        command += ["--group-size", "64", "--ratio", "1.0"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" / ".join(done.stderr.strip().splitlines()[-4:]))


class Model:
    """The pipeline as it comes, with the hint for latency."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        self.pipe = openvino_genai.LLMPipeline(str(files), "CPU", **options)

    def prepare(self, rows: int, length: int) -> None:
        """It makes room as it goes."""

    def generate(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """The likeliest tokens, past any end."""
        ids = np.array(prompts, np.int64)
        given = openvino_genai.TokenizedInputs(
            openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids))
        )
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = count
        config.do_sample, config.ignore_eos = False, True
        return [list(row) for row in self.pipe.generate(given, config).tokens]
