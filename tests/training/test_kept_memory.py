"""Memory that steps take and give back."""

import platform
import resource
from pathlib import Path

import pytest
import torch

from loquent.training import memory

PIECES, BYTES = 16, 2**24
PAGES = PIECES * BYTES // 2**12
LARGE = 2**9  # pages of the usual size in a large one, of which torch may ask for


def faults() -> int:
    """Pages that the system has given this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def step() -> int:
    """The pages that tensors of a step take, which are then given back."""
    before = faults()
    _ = [torch.ones(BYTES, dtype=torch.uint8) for _ in range(PIECES)]
    return faults() - before


def resident() -> int:
    """Bytes of this process in memory."""
    words = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(words[1]) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of glibc")
def test_what_a_step_gives_back_serves_the_next_one_and_is_returned_at_the_end():
    with memory.kept(torch.device("cpu")):
        taken = [step() for _ in range(8)]
        held = resident()
    assert sum(taken[4:]) < PAGES // LARGE, taken
    assert resident() < held - PIECES * BYTES // 2


def test_elsewhere_nothing_changes():
    with memory.kept(torch.device("meta")):
        assert torch.ones(3, device="meta").shape == (3,)
