"""The other side of `serve.py`: a peer's process as an object."""

import contextlib
import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from peers.environments import PeerError

SERVE = Path(__file__).with_name("serve.py")
# Each library of threads counts for itself; a peer gets the number that is measured.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "LOQUENT_THREADS", "RAYON_NUM_THREADS")
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def first_output(python: Path, words: Sequence[str], threads: int, seconds: float) -> float:
    """Seconds from the start of a command to the first byte that it writes; raises PeerError."""
    started = time.perf_counter()
    with subprocess.Popen(
        [str(python), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(threads),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            if not ready.select(seconds):
                process.kill()
                raise PeerError(f"wrote nothing in {seconds:.0f} s, and was ended")
        first = os.read(process.stdout.fileno(), 1)
        passed = time.perf_counter() - started
        process.stdout.read()
        words_said = process.stderr.read().decode(errors="replace").strip().splitlines()
    if not first or process.returncode:
        raise PeerError(f"ended with status {process.returncode}: {' / '.join(words_said[-3:])}")
    return passed


def _environment(threads: int) -> dict[str, str]:
    return {**os.environ, **OFFLINE, **{name: str(threads) for name in THREAD_VARIABLES}}


class Process:
    """A peer that runs; leaving the context ends it."""

    def __init__(self, python: Path, adapter: Path, threads: int, seconds: float) -> None:
        """`seconds` is how long an answer may take."""
        self._seconds = seconds
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  # closed on leaving
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [str(python), "-P", str(SERVE), str(adapter)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=_environment(threads),
        )
        self._left = b""

    def __enter__(self) -> "Process":
        """Use as a context, so that no process stays behind."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._words.close()

    @property
    def id(self) -> int:
        """The system's number for it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked more."""
        return self._process.poll() is None

    def age(self) -> float:
        """Seconds since it was started."""
        return time.perf_counter() - self._started

    def ask(self, do: str, **given: Any) -> dict[str, Any]:
        """One request and its answer; raises PeerError with what went wrong."""
        return self.ask_all([{"do": do, **given}])[0]

    def ask_all(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Several requests at once, without a pause between them."""
        assert self._process.stdin is not None
        try:
            for request in requests:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as fault:
            raise PeerError(f"ended: {self._last_words()}") from fault
        return [self._answer() for _ in requests]

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line())
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        until = time.monotonic() + self._seconds
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._left:
                if not ready.select(max(0.0, until - time.monotonic())):
                    self._process.kill()
                    self._process.wait()
                    raise PeerError(f"gave no answer in {self._seconds:.0f} s, and was ended")
                data = os.read(self._process.stdout.fileno(), 1 << 20)
                if not data:
                    raise PeerError(f"ended: {self._last_words()}")
                self._left += data
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _last_words(self) -> str:
        status = self._process.wait()
        self._words.seek(0)
        words = self._words.read().decode(errors="replace").strip().splitlines()
        return f"status {status}; " + " / ".join(words[-3:])[-300:]
