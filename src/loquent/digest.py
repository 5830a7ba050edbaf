"""SHA-256 without what `hashlib` brings along: OpenSSL, 3.5 MB and 3 ms of a program's start."""

from importlib import import_module
from typing import Protocol


class Digest(Protocol):
    """A SHA-256 in the making."""

    def update(self, data: bytes, /) -> None:
        """Take further bytes."""

    def digest(self) -> bytes:
        """The 32 bytes."""

    def hexdigest(self) -> str:
        """The same in hexadecimal."""


def sha256(data: bytes = b"") -> Digest:
    """The SHA-256 of some bytes, for small ones: `hashlib` is faster over many megabytes."""
    made: Digest = _module.sha256(data)
    return made


def _own() -> str:
    """The interpreter's own implementation, which `hashlib` falls back on."""
    for name in ("_sha2", "_sha256"):  # from Python 3.12 on, and before
        try:
            import_module(name)
        except ImportError:
            continue
        return name
    return "hashlib"


_module = import_module(_own())
