"""The optional packages that files of sound need."""

from importlib import import_module
from typing import Any

from loquent.errors import UserError

_FIX = "Install it with: pip install 'loquent[speech]'"


def soundfile() -> Any:
    """The package soundfile, which decodes and encodes files; raises UserError without it."""
    return _package("soundfile", "Files of sound need the package soundfile.", _FIX)


def soxr() -> Any:
    """The package soxr, which changes sampling rates; raises UserError without it."""
    return _package("soxr", "Another sampling rate needs the package soxr.", _FIX)


def sounddevice() -> Any:
    """The package sounddevice, for microphones and loudspeakers; raises UserError without it."""
    return _package(
        "sounddevice",
        "Microphones and loudspeakers need the package sounddevice (and the library PortAudio).",
        "Install it with: pip install sounddevice",
    )


def _package(name: str, what: str, fix: str) -> Any:
    try:
        return import_module(name)
    except (ImportError, OSError) as fault:  # OSError: the library behind it is missing
        raise UserError(what, fix=fix) from fault
