"""The floor: what this machine's memory and arithmetic allow, measured by `probe.c`."""

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.environments import PeerError
from peers.models import PREFILL, Work

SOURCE = Path(__file__).with_name("probe.c")
BITS = {"4-bit": 4, "8-bit": 8, "16-bit": 16, "32-bit": 32}


@dataclass(frozen=True)
class Rates:
    """What so many threads reach with weights of one class."""

    read_bytes_per_second: float  # over as many bytes as the weights have
    operations_per_second: float  # a product and its sum are 2
    unit: str


def measured(folder: Path, sizes: Mapping[str, tuple[str, int]], threads: int) -> dict[str, Rates]:
    """Compile the probe once for this machine and run it; `sizes`: class and bytes of each name.

    Raises PeerError.
    """
    program = folder / f"probe-{platform.machine()}"
    try:
        if not program.exists() or program.stat().st_mtime < SOURCE.stat().st_mtime:
            folder.mkdir(parents=True, exist_ok=True)
            flags = ["-O3", "-march=native", "-pthread"]
            _run(["cc", *flags, str(SOURCE), "-o", str(program)])
        bytes_ = [str(size) for _, size in sizes.values()]
        found = json.loads(_run([str(program), str(threads), *bytes_]))
    except (OSError, subprocess.SubprocessError) as fault:
        words = getattr(fault, "stderr", "") or str(fault)
        raise PeerError(f"the probe of the machine: {words[-300:]}") from fault
    return {
        name: Rates(read, found["operations"][precision], found["unit"])
        for (name, (precision, _)), read in zip(sizes.items(), found["read"], strict=True)
    }


def better(found: Rates, before: Mapping[str, Any]) -> Rates:
    """The larger of each rate of two measurements; others may have disturbed one of them."""
    read, operations = "read_bytes_per_second", "operations_per_second"
    return Rates(
        max(found.read_bytes_per_second, before.get(read, 0.0)),
        max(found.operations_per_second, before.get(operations, 0.0)),
        found.unit,
    )


def weight_bytes(work: Work, precision: str) -> int:
    """What one step reads at least: every weight of a product, in its class's bits."""
    return work.weights_read * BITS[precision] // 8


def floors(work: Work, precision: str, rates: Rates) -> dict[str, float]:
    """Tokens a second that no program can pass: reading the weights, or the products."""
    read = weight_bytes(work, precision) / rates.read_bytes_per_second
    decode = work.decode_operations / rates.operations_per_second
    found = {f"decode {rows}": rows / max(read, rows * decode) for rows in (1, 8, 32)}
    found["prefill"] = PREFILL / max(read, work.prefill_operations / rates.operations_per_second)
    return found


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
