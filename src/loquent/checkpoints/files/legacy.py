"""PyTorch's pickled files (.bin, .pt, .pth): read only on request, in a process of their own."""

import subprocess
import sys
from importlib import util
from pathlib import Path
from tempfile import TemporaryDirectory

from loquent.checkpoints.files.container import Container, Tensor
from loquent.checkpoints.files.safetensors import open_safetensors
from loquent.errors import CheckpointError

_CHILD = Path(__file__).with_name("legacy_child.py")
_SECONDS = 900


def open_legacy(path: Path, allow_pickle: bool) -> Container:
    """Open a pickled file by way of a temporary safetensors file.

    Raises CheckpointError without `allow_pickle`, and where the file holds more than tensors.
    """
    if not allow_pickle:
        raise CheckpointError(
            "is a pickled PyTorch file, which can run code when it is opened.",
            where=str(path),
            fix="Take a safetensors file of the model, or allow it with allow_pickle "
            "(--allow-pickle): it is then read in a process of its own.",
        )
    if util.find_spec("torch") is None:
        raise CheckpointError(
            "reading a pickled file needs PyTorch.",
            where=str(path),
            fix="Install it with: pip install 'loquent[train]'",
        )
    with TemporaryDirectory(prefix="loquent-") as folder:
        target = Path(folder) / "model.safetensors"
        _convert(path, target)
        container = open_safetensors(target)
        tensors = dict(container.tensors)  # their bytes stay mapped when the file's name is gone
    return Container({name: _renamed(each, path) for name, each in tensors.items()}, (path,))


def _convert(source: Path, target: Path) -> None:
    command = [sys.executable, "-I", str(_CHILD), str(source.resolve()), str(target)]
    try:
        done = subprocess.run(
            command,
            cwd=target.parent,
            env={"PATH": "", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise CheckpointError(f"took over {_SECONDS} s to read.", where=str(source)) from fault
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = next((line for line in lines if "Error" in line or "refused" in line), "")
        raise CheckpointError(
            f"was not read: {why or (lines[-1] if lines else f'exit {done.returncode}')}"[:500],
            where=str(source),
        )


def _renamed(tensor: Tensor, path: Path) -> Tensor:
    return Tensor(tensor.name, tensor.shape, tensor.kind, tensor.raw, f"{path}: {tensor.name!r}")
