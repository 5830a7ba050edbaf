"""NumPy's products of matrices on the calling thread alone, where other work shares the processors.

OpenBLAS, which NumPy's wheels carry, divides even small products among all processors, and its
threads wait for the next one in a loop: beside threads of the native runtime, or two sentences that
are spoken at once, that takes longer than one thread. With another library nothing is changed.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

_FOLDERS = ("../numpy.libs", ".dylibs")  # beside NumPy's own, where wheels have their libraries
_PREFIXES, _SUFFIXES = ("scipy_openblas", "openblas"), ("64_", "")
_lock = Lock()
_inside = 0  # who works on one thread now
_before = 1  # threads until the first of them came


class _Library(NamedTuple):
    """The two functions of OpenBLAS; ctypes releases nothing that they would wait for."""

    threads: "ctypes._NamedFuncPointer"
    set_threads: "ctypes._NamedFuncPointer"


@cache
def _library() -> _Library | None:
    home = Path(np.__file__).parent
    for path in (each for folder in _FOLDERS for each in (home / folder).glob("*openblas*")):
        library = ctypes.CDLL(str(path.resolve()))  # the one that NumPy has loaded
        for name in (f"{a}_%s_num_threads{b}" for a in _PREFIXES for b in _SUFFIXES):
            if hasattr(library, name % "set"):
                return _Library(getattr(library, name % "get"), getattr(library, name % "set"))
    return None


@contextmanager
def one_thread() -> Iterator[None]:
    """Until the last who is inside leaves, products take one thread each, in the whole process."""
    global _inside, _before  # noqa: PLW0603  the library has one setting for all
    library = _library()
    with _lock:
        if not _inside and library is not None:
            _before = library.threads()
            library.set_threads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and library is not None:
                library.set_threads(_before)


def at_work() -> int:
    """How many are inside `one_thread` now."""
    return _inside
