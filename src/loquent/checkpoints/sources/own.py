"""Models that come with Loquent, in its folder: whole, or as what was learned beside another one.

What was learned beside another model is merged with it once, into a folder as of any other source.
"""

from pathlib import Path

from loquent.checkpoints.sources.names import OwnSource
from loquent.checkpoints.sources.partial import sha256_of
from loquent.digest import sha256
from loquent.errors import CheckpointError, nearest
from loquent.text.documents import read_settings

_HERE = Path(__file__).parents[2] / "models"
_ADAPTER = "adapter_config.json"


def folder_of(source: OwnSource) -> Path:
    """The folder of a model; raises CheckpointError where no such comes with this version."""
    path = _HERE / source.name
    if not path.is_dir():
        known = [each.name for each in _HERE.iterdir()] if _HERE.is_dir() else []
        raise CheckpointError(
            "does not come with this version of Loquent.",
            where=f"loquent:{source.name}",
            fix=nearest(source.name, known),
        )
    return path


def base_of(folder: Path) -> str:
    """The name of the model that an adapter is for; "" for a whole model."""
    return str(read_settings(folder / _ADAPTER).get("base_model_name_or_path") or "")


def revision_of(folder: Path) -> str:
    """What tells one version of a model's files from another."""
    digest = sha256()
    for path in sorted(folder.iterdir()):
        digest.update(f"{path.name}\0{sha256_of(path)}\0".encode())
    return digest.hexdigest()[:16]


def merge(folder: Path, base: Path, place: Path) -> dict[str, str]:
    """Write an adapter merged with its base into a new folder; its files and their SHA-256."""
    from loquent.checkpoints.adapters.merging import merged  # noqa: PLC0415  # seldom needed
    from loquent.checkpoints.checkpoint import Checkpoint  # noqa: PLC0415

    merged(Checkpoint.open(base), folder).save(place)
    return {
        path.relative_to(place).as_posix(): sha256_of(path)
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }
