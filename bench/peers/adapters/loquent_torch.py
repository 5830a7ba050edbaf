"""Loquent's engine on PyTorch."""

import runpy
from pathlib import Path

import torch

from loquent.checkpoints.checkpoint import Checkpoint
from loquent.lm.executor import open_executor

Native = runpy.run_path(str(Path(__file__).with_name("loquent_native.py")))["Model"]


def convert(source: Path, variant: str, target: Path) -> None:
    """The model's folder is read as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=True)


class Model(Native):
    """The same engine with another network."""

    def __init__(self, files: Path, variant: str, threads: int) -> None:
        """Open a folder in float32."""
        torch.set_num_threads(threads)
        self.network = open_executor(Checkpoint.open(files), runtime="torch").network
