"""Loquent's engine on the native runtime."""

from pathlib import Path
from typing import TYPE_CHECKING

import loquent
from loquent.engine.engine import Engine
from loquent.engine.request import Request, Sampling

if TYPE_CHECKING:
    from loquent.lm.executor import Bits

BITS: "dict[str, Bits]" = {"int4": 4, "int8": 8, "bf16": 16, "f32": 32}


def convert(source: Path, variant: str, target: Path) -> None:
    """Pack the model as its first opening does; the packed file lies in Loquent's own cache."""
    target.mkdir(parents=True)
    original = source / "original.gguf"
    if original.exists():
        (target / "model.gguf").symlink_to(original)
    else:
        (target / "model").symlink_to(source, target_is_directory=True)
    _network(target, variant)


class Model:
    """A packed model and an engine for it."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        """The number of threads is LOQUENT_THREADS, as for a user."""
        self.network = _network(files, variant)
        self.file_bytes = self.network.bytes

    def prepare(self, rows: int, length: int) -> None:
        """A new engine with so many rows."""
        self.engine = Engine(self.network, rows=rows, length=length)

    def generate(self, prompts: list[list[int]], count: int) -> list[list[int]]:
        """The likeliest tokens; no id ends an answer."""
        sampling = Sampling(max_tokens=count, temperature=0, seed=0)
        requests = [Request(ids, sampling) for ids in prompts]
        written: dict[Request, list[int]] = {request: [] for request in requests}
        for event in self.engine.run(requests):
            if event.choice is not None:
                written[event.request].append(event.choice.id)
        return list(written.values())


def _network(files: Path, variant: str):  # noqa: ANN202  # NativeNetwork
    path = next(files.glob("model*"))
    return loquent.open(path, runtime="native", bits=BITS[variant]).network
