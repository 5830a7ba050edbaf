"""CTranslate2."""

import json
from pathlib import Path

import ctranslate2


def convert(source: Path, variant: str, target: Path) -> None:
    """Its own converter for transformers' folders."""
    converter = ctranslate2.converters.TransformersConverter(str(source))
    converter.convert(str(target), quantization=variant)


class Model:
    """A generator with all its threads for one batch."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        self.generator = ctranslate2.Generator(
            str(files), device="cpu", compute_type=variant, inter_threads=1, intra_threads=threads
        )
        self.words = json.loads((files / "vocabulary.json").read_text(encoding="utf-8"))

    def prepare(self, rows: int, length: int) -> None:
        """It makes room as it goes."""

    def generate(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """The likeliest tokens; the end token is not allowed before `count`."""
        results = self.generator.generate_batch(
            [[self.words[each] for each in row] for row in prompts],
            max_length=count,
            min_length=count,
            include_prompt_in_result=False,
            sampling_topk=1,
            beam_size=1,
        )
        return [list(result.sequences_ids[0]) for result in results]
