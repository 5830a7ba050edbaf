"""faster-whisper (CTranslate2)."""

from pathlib import Path
from typing import Any

from faster_whisper import BatchedInferencePipeline, WhisperModel

TYPES = {"int8": "int8", "f32": "float32"}


class Ear:
    """Greedy at first, without the text before, as all here; its own detector of speech."""

    def __init__(self, files: Path, variant: str, threads: int, batch: int) -> None:
        self.model = WhisperModel(
            str(files / "ctranslate2"), device="cpu", compute_type=TYPES[variant],
            cpu_threads=threads, num_workers=1,
        )  # fmt: skip
        self.batch = batch

    def hear(self, samples: Any) -> str:
        """With times, whose segments are joined."""
        how = {"language": "en", "beam_size": 1, "vad_filter": True, "without_timestamps": False}
        if self.batch > 1:
            batched = BatchedInferencePipeline(model=self.model)
            segments, _ = batched.transcribe(samples, batch_size=self.batch, **how)
        else:
            segments, _ = self.model.transcribe(samples, condition_on_previous_text=False, **how)
        return "".join(each.text for each in segments).strip()
