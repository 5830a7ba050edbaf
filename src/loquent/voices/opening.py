"""A voice by its name: files are fetched where they are missing, and their kind is told by them."""

from loquent.checkpoints import hub
from loquent.checkpoints.sources.partial import Progress
from loquent.errors import CheckpointError
from loquent.text.pronouncing import Pronouncer
from loquent.voices import espeak_words, own, piper, spectral, vits_voice
from loquent.voices.lexicons import pronouncer, read_json
from loquent.voices.voice import Voice

DEFAULT = "hibari"


def english(*, offline: bool = False, progress: Progress | None = None) -> Pronouncer:
    """Our dictionary and all that belongs to it, which lies beside the voice hibari."""
    found = hub.resolve(DEFAULT, offline=offline, progress=progress)
    return pronouncer(found, list(read_json(found / spectral.VOCABULARY)))


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
            dictionary = english(offline=offline, progress=progress)
        return vits_voice.open_vits(folder, name, dictionary)
    if own.is_own(folder):
        return own.open_own(folder, name, english(offline=offline, progress=progress))
    raise CheckpointError(
        "is no voice: no spectral one (hibari.onnx), none of Piper (*.onnx, *.onnx.json), no VITS, "
        "and no voice that was trained here.",
        where=name,
        fix="`loquent models` lists voices, with the task speak.",
    )
