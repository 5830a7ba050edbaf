"""The small spectral voice: a graph from phonemes to frames of a spectrum, then a wave."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loquent.audio.sound import Samples
from loquent.checkpoints.files.onnx_program import open_program
from loquent.errors import CheckpointError, RequestError
from loquent.graphs.maps import Precision
from loquent.graphs.runner import Runner
from loquent.text.pronouncing import Pronounced, Pronouncer
from loquent.voices.lexicons import pronouncer, read_json
from loquent.voices.voice import OURS, Manner
from loquent.voices.waves import Frames, Parts, mixed

NETWORK, VOCABULARY = "hibari.onnx", "vocab.json"
FRAMES = Frames(size=1200, hop=300, rate=24_000)
PARTS = ("lh", "theta", "ln", "lr", "phi", "f0")  # as the graph calls what `Parts` holds
_INPUTS = ("ids", "speed")
_ENDS = 0  # the id before and behind
_LONGEST = 400  # phonemes; the network was trained on no longer ones


@dataclass
class SpectralVoice:
    """A voice of a folder with a graph, a vocabulary of phonemes, and dictionaries."""

    name: str
    runner: Runner
    ids: dict[str, int]
    words: Pronouncer
    language: str = "en"
    rate: int = FRAMES.rate
    phonemes_by: str = OURS
    bends_pitch: bool = True
    longest: int = _LONGEST

    def pronounced(self, text: str) -> Pronounced:
        """Words in its phonemes."""
        return self.words.pronounced(text)

    def said(self, phonemes: str, manner: Manner) -> Samples:
        """Phonemes as sound (N,); raises RequestError for a phoneme that it does not know."""
        unknown = sorted(set(phonemes) - set(self.ids))
        if unknown:
            raise RequestError(f"the voice {self.name} has no phoneme {', '.join(unknown)}.")
        if not phonemes.strip():
            return np.zeros(0, np.float32)
        ids = [_ENDS, *(self.ids[each] for each in phonemes), _ENDS]
        made = self.runner.run(
            {
                "ids": np.array([ids], np.int64),
                "speed": np.array([manner.speed], np.float32),
            }
        )
        frames = [made[each][0].T for each in PARTS]  # (F, bins), and (F,) of the pitch
        frames[-1] = frames[-1] * np.float32(manner.pitch)
        return mixed(Parts(*frames), FRAMES, np.random.default_rng(manner.seed))


def open_spectral(folder: Path, name: str, precision: Precision = "int8") -> SpectralVoice:
    """The voice of a folder; raises CheckpointError where something is missing or another.

    In 8 bits it is as far from its weights in floats as ONNX Runtime is, and twice as fast.
    """
    ids = read_json(folder / VOCABULARY, dict[str, int])
    program = open_program(folder / NETWORK)
    if program.inputs != _INPUTS:
        raise CheckpointError(
            f"has the inputs {', '.join(program.inputs)}; {', '.join(_INPUTS)} are wanted.",
            where=str(folder / NETWORK),
        )
    words = pronouncer(folder, list(ids))  # a thread of it reads on while the network is prepared
    runner = Runner(program, precision=precision)
    return SpectralVoice(name, runner, ids, words)
