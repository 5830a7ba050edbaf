"""A voice by its name: files are fetched where they are missing, and their kind is told by them."""

from loquent.checkpoints import hub
from loquent.checkpoints.sources.partial import Progress
from loquent.errors import CheckpointError
from loquent.voices import espeak_words, piper, spectral, vits_voice
from loquent.voices.lexicons import pronouncer, read_json
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
        words = None
        if piper.speaks_english(folder) and not espeak_words.installed():
            words = hub.resolve(DEFAULT, offline=offline, progress=progress)
        return piper.open_piper(folder, name, words)
    if vits_voice.is_vits(folder):
        dictionary = None
        if vits_voice.needs_words(folder):
            found = hub.resolve(DEFAULT, offline=offline, progress=progress)
            dictionary = pronouncer(found, list(read_json(found / spectral.VOCABULARY)))
        return vits_voice.open_vits(folder, name, dictionary)
    raise CheckpointError(
        "is no voice: no spectral one (hibari.onnx), none of Piper (*.onnx, *.onnx.json), no VITS.",
        where=name,
        fix="`loquent models` lists voices, with the task speak.",
    )
