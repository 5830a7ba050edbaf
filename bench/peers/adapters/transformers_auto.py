"""transformers' `generate`."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def convert(source: Path, variant: str, target: Path) -> None:
    """The model's folder is read as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=True)


class Model:
    """A model as the Auto class makes it."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self.model = AutoModelForCausalLM.from_pretrained(files, dtype=DTYPES[variant]).eval()

    def prepare(self, rows: int, length: int) -> None:
        """It makes room as it goes."""

    @torch.inference_mode()
    def generate(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """The likeliest tokens; there is no end."""
        ids = torch.tensor(prompts)
        config = GenerationConfig(
            max_new_tokens=count, min_new_tokens=count, do_sample=False, use_cache=True,
            eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        made = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), generation_config=config
        )
        written: list[list[int]] = made[:, ids.shape[1] :].tolist()
        return written
