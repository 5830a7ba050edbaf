"""vLLM's build for the CPU."""

import os
from pathlib import Path

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # memory is measured in one process

DTYPES = {"f32": "float32", "bf16": "bfloat16"}


def convert(source: Path, variant: str, target: Path) -> None:
    """The model's folder is read as it is; what is compiled for it is kept for later starts."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=True)
    Model(target, variant, os.cpu_count() or 1)


class Model:
    """vLLM's offline engine, without prefix caching: a repeated prompt is read again."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        from vllm import LLM  # noqa: PLC0415  # after the variables above

        self.model = LLM(
            model=str(files.resolve()), dtype=DTYPES[variant], max_model_len=1024, max_num_seqs=32,
            enable_prefix_caching=False, skip_tokenizer_init=True, seed=0,
        )  # fmt: skip

    def prepare(self, rows: int, length: int) -> None:
        """It makes room as it goes."""

    def generate(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """The likeliest tokens, past any end."""
        from vllm import SamplingParams, TokensPrompt  # noqa: PLC0415

        how = SamplingParams(
            temperature=0, max_tokens=count, min_tokens=count, ignore_eos=True, detokenize=False
        )
        given = [TokensPrompt(prompt_token_ids=row) for row in prompts]
        made = self.model.generate(given, how, use_tqdm=False)
        return [list(each.outputs[0].token_ids) for each in made]
