"""A voice by its name: files are fetched where they are missing, and their kind is told by them."""

from loquent.checkpoints import hub
from loquent.checkpoints.sources.partial import Progress
from loquent.errors import CheckpointError
from loquent.voices import piper, spectral
from loquent.voices.voice import Voice

DEFAULT = "hibari"


def open_voice(
    name: str = DEFAULT, *, offline: bool = False, progress: Progress | None = None
) -> Voice:
    """A voice of the catalogue, of a folder, or of a source as `hub.resolve` takes it.

    `progress` is told of bytes that are fetched. Raises CheckpointError where there is none.
    """
    path = hub.resolve(name, offline=offline, progress=progress)
    folder = path if path.is_dir() else path.parent
    if (folder / spectral.NETWORK).is_file():
        return spectral.open_spectral(folder, name)
    if piper.is_piper(folder):
        words = hub.resolve(DEFAULT, offline=offline, progress=progress)
        return piper.open_piper(folder, name, words)
    raise CheckpointError(
        "is no voice: neither a spectral one (hibari.onnx) nor one of Piper (*.onnx, *.onnx.json).",
        where=name,
        fix="`loquent models` lists voices, with the task speak.",
    )
