"""hibari, by its own package: ONNX Runtime."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hibari import Hibari


class Mouth:
    """Its default voice."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        del variant
        self.voice = Hibari(model=str(files / "hibari.onnx"), threads=threads)
        self.rate = self.voice.sample_rate

    def pieces(self, text: str) -> Iterator[Any]:
        """Sentence by sentence."""
        yield from self.voice.stream(text, seed=0)
