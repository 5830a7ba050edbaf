"""whisper.cpp (pywhispercpp), built for this machine."""

from pathlib import Path
from typing import Any

from pywhispercpp.model import Model


class Ear:
    """Greedy at first, without the text before; it has no batches and hears everything."""

    def __init__(self, files: Path, variant: str, threads: int, batch: int) -> None:
        if batch > 1:
            raise ValueError("whisper.cpp hears one window at a time")
        self.model = Model(
            str(files / f"ggml-{variant}.bin"), n_threads=threads, no_context=True,
            print_progress=False, print_realtime=False, language="en",
        )  # fmt: skip

    def hear(self, samples: Any) -> str:
        """With times, whose segments are joined."""
        return " ".join(each.text for each in self.model.transcribe(samples)).strip()
