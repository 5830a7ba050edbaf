"""Piper, by its own package: espeak-ng and ONNX Runtime."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnxruntime
from piper import PiperVoice


class Mouth:
    """A voice in a session of so many threads, which the package does not let one choose."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        del variant
        (path,) = files.glob("*.onnx")
        self.voice = PiperVoice.load(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.voice.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.rate = self.voice.config.sample_rate

    def pieces(self, text: str) -> Iterator[Any]:
        """Sentence by sentence."""
        for chunk in self.voice.synthesize(text):
            yield chunk.audio_float_array
