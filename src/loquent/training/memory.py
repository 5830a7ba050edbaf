"""The memory that steps take and give back, over and over."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Parameters of mallopt(3), and the largest piece that the library may keep; even larger ones always
# come from the system and go back.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_BYTES = 32 * 2**20


@contextmanager
def kept(device: torch.device) -> Iterator[None]:
    """Within, memory that a step on a CPU gives back stays with the process for the next one.

    The C library would return what is free at the end of its memory to the system, which fills it
    with zeros, page by page, when it is asked for again: a tenth of a step. Only glibc has these
    settings; elsewhere nothing changes. What is free at the end is returned.
    """
    if device.type != "cpu" or platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    usual = 2 * _LARGEST_BYTES  # to which the library raises its threshold by and by
    library.mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)
    library.mallopt(_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, usual)
        library.malloc_trim(0)
