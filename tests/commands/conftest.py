"""Running the command line as a process."""

import subprocess
import sys
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Run = Callable[..., "CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def run() -> Run:
    """Run `loquent …` as a user would; gives the finished process."""

    def loquent(
        *arguments: object, given: bytes = b"", **environment: str
    ) -> CompletedProcess[bytes]:
        import os  # noqa: PLC0415

        return subprocess.run(
            [sys.executable, "-m", "loquent", *map(str, arguments)],
            input=given,
            capture_output=True,
            timeout=120,
            check=False,
            env={**os.environ, **environment},
        )

    return loquent
