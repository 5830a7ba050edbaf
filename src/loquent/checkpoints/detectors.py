"""What tells speech from everything else: a network that is on this machine, or an energy rule."""

from pathlib import Path

from loquent.audio.activity import ENERGY, Detector
from loquent.audio.silero import SHAPES, Silero
from loquent.checkpoints import hub
from loquent.checkpoints.families.silero import NAMES
from loquent.checkpoints.files.onnx import open_onnx
from loquent.errors import CheckpointError

SILERO = "silero-vad"  # of the catalogue


def speech_detector() -> Detector:
    """Silero's network where it has been pulled, else the energy rule; its `name` says which."""
    path = hub.locate(SILERO)
    return open_silero(path) if path is not None else ENERGY


def fetched_detector(*, offline: bool = False) -> Detector:
    """Silero's network, pulled where it is not here yet; the energy rule where it cannot be."""
    try:
        return open_silero(hub.resolve(SILERO, offline=offline))
    except CheckpointError:
        return ENERGY


def open_silero(path: Path) -> Silero:
    """Silero's network of its ONNX file; raises CheckpointError where the file holds another."""
    container = open_onnx(path)
    found = {ours: name for name, ours in NAMES.items() if name in container}
    for ours, name in found.items():  # before any is read
        if container.shape(name) != SHAPES[ours]:
            raise CheckpointError(
                f"tensor {name!r} has the shape {container.shape(name)}; {SHAPES[ours]} is wanted.",
                where=str(path),
            )
    return Silero({ours: container[name] for ours, name in found.items()})
