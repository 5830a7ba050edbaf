"""How many threads to work with."""

import os
from pathlib import Path

from loquent.errors import ConfigError

_GROUP = Path("/sys/fs/cgroup")


def thread_count() -> int:
    """`LOQUENT_THREADS`, or as many as this process has processors and quota for.

    Raises ConfigError where `LOQUENT_THREADS` is no number from 1 to 1024.
    """
    asked = os.environ.get("LOQUENT_THREADS", "")
    if asked:
        if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked) <= 1024:
            raise ConfigError(f"must be from 1 to 1024, not {asked!r}.", where="LOQUENT_THREADS")
        return int(asked)
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, min(allowed, _quota(_GROUP)))


def _quota(group: Path) -> int:
    """Whole processors that the control group grants; a large number where it sets no limit."""
    for words in (
        _words(group / "cpu.max"),  # version 2: "max 100000" or "150000 100000"
        _words(group / "cpu" / "cpu.cfs_quota_us") + _words(group / "cpu" / "cpu.cfs_period_us"),
    ):
        if len(words) == 2 and all(each.isdigit() for each in words) and int(words[1]) > 0:
            return int(words[0]) // int(words[1])
    return 2**16


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
