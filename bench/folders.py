"""A folder of recordings of which some are broken, written down by `loquent transcribe`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

WHOLE = 990


def _written(path: Path, samples: Any, **how: Any) -> None:
    soundfile.write(path, samples, 16_000, **how)


def _noise(channels: int = 1) -> Any:
    made = 0.1 * np.random.default_rng(0).standard_normal((16_000, channels))
    return made if channels > 1 else made[:, 0]


def _cut(path: Path, **how: Any) -> None:
    _written(path, _noise(), **how)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _numbers(path: Path) -> None:
    samples = _noise()
    samples[8000] = np.nan
    _written(path, samples, subtype="FLOAT")


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty.wav": lambda path: path.write_bytes(b""),
    "document.wav": lambda path: path.write_bytes(b"%PDF-1.4\n" + bytes(1000)),
    "text.mp3": lambda path: path.write_text("No sound at all.\n" * 50),
    "cut.wav": _cut,
    "half.flac": _cut,
    "no-numbers.wav": _numbers,
    "channels.wav": lambda path: _written(path, _noise(96)),
    "archive.ogg": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(1000)),
    "video.m4a": lambda path: path.write_bytes(bytes(4) + b"ftypM4A " + bytes(1000)),
    "nothing.wav": lambda path: _written(path, np.zeros(0)),
}


def folder(data: Path) -> dict[str, Any]:
    """Of 990 clips and 10 broken files: transcripts, reasons, the exit status; killed twice."""
    with TemporaryDirectory() as place:
        source, target = Path(place, "clips"), Path(place, "texts")
        source.mkdir()
        clips = sorted((data / "fsdd" / "recordings").glob("*.wav"))[:WHOLE]
        for clip in clips:
            shutil.copy(clip, source / clip.name)
        for name, make in BROKEN.items():
            make(source / name)
        begun = time.perf_counter()
        kept = [_killed(source, target, lines) for lines in (200, 600)]
        status, told, megabytes = _ended(source, target)
        named = [name for name in BROKEN if f"{source / name}: " in told]
        return {
            "files": len(clips) + len(BROKEN),
            "transcripts": len(list(target.rglob("*.txt"))),
            "named_reasons": len(named),
            "exit_status": status,
            "killed_behind": kept,
            "peak_megabytes": megabytes,
            "seconds": round(time.perf_counter() - begun),
            "reasons": {
                line.strip().partition(": ")[0].rpartition("/")[2]: line.partition(": ")[2]
                for line in told.splitlines()
                if str(source) in line
            },
        }


def _begun(source: Path, target: Path) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "loquent", "transcribe", source, "--out", target, "--offline"]
    return subprocess.Popen(words, stderr=subprocess.PIPE)


def _killed(source: Path, target: Path, files: int) -> int:
    """Kill it as soon as so many files are done; how many were."""
    part = target / "transcribe.part"
    with _begun(source, target) as process:
        while not part.exists() or part.read_bytes().count(b"\n") <= files:
            if process.poll() is not None:
                raise RuntimeError(f"it ended by itself: {process.returncode}")
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    return part.read_bytes().count(b"\n") - 1


def _ended(source: Path, target: Path) -> tuple[int, str, int]:
    """The exit status, what was told, and the most memory in megabytes."""
    with _begun(source, target) as process:
        assert process.stderr is not None
        told = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, told, usage.ru_maxrss // 1024
