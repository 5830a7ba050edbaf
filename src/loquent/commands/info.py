"""`loquent info`: the machine, versions and paths, for a look and for bug reports."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import click

import loquent
from loquent.commands import terminal

PACKAGES = ("numpy", "tokenizers", "safetensors", "huggingface-hub", "torch", "transformers")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def command(as_json: bool) -> None:
    """Show the machine, its CPU features, versions and paths."""
    found = collected()
    if as_json:
        terminal.emit_json(found)
        return
    for name, value in found.items():
        lines = value.items() if isinstance(value, dict) else [("", value)]
        for index, (part, each) in enumerate(lines):
            label = name.replace("_", " ") if index == 0 else ""
            click.echo(f"{label:<14} {part + ' ' if part else ''}{each}")


def collected() -> dict[str, object]:
    """Everything that a bug report needs, as plain values."""
    from loquent.checkpoints import hub
    from loquent.native import cpu_features

    return {
        "loquent": loquent.__version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "processor": processor(),
        "cores": cores(),
        "cpu_features": " ".join(cpu_features()) or "none of those that Loquent uses",
        "instruction_sets": sets(),
        "memory_bytes": memory_bytes(),
        "home": str(hub.home()),
        "packages": {name: installed(name) for name in PACKAGES},
    }


def sets() -> str:
    """What the native runtime can run with, the best first, and what it refuses to."""
    from loquent.native import _core

    refused = _core.refused_instruction_sets()
    others = f"; not {', '.join(refused)}: other products than scalar" if refused else ""
    return " ".join(_core.instruction_sets()) + others


def machine() -> dict[str, object]:
    """The same as figures are published with: no path of this machine."""
    found = {name: value for name, value in collected().items() if name != "home"}
    return {**found, "python": platform.python_version()}


def installed(package: str) -> str:
    """The version of a package, or that it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def cores() -> int | None:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def processor() -> str:
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """Memory of the machine in bytes, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, AttributeError):
        return None
