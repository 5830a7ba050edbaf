"""An environment for each peer, built once from the package index that pip is set up for."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from peers.table import Peer

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
DONE = "installed.txt"  # the versions, written when all is there
BUILD_SECONDS = 3600


class PeerError(Exception):
    """A peer that cannot be installed, converted for or run, with the reason."""


def interpreter(name: str, peer: Peer, folder: Path, reused: Mapping[str, Path]) -> Path:
    """The Python of a peer's environment, which is built where it is not there yet.

    Raises PeerError with pip's last words.
    """
    if name in reused:
        return reused[name]
    if not peer.packages:
        return Path(sys.executable)
    place = folder / name
    python = place / "bin" / "python"
    if (place / DONE).exists():
        return python
    print(f"building the environment of {name} in {place}", file=sys.stderr, flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(place)])
    own = [f"--no-binary={package}" for package in peer.source]
    install = [str(python), "-m", "pip", "install", "--quiet"]
    if not peer.own_torch:
        install += ["--constraint", str(CONSTRAINTS)]
    _run([*install, *own, *peer.packages], peer.environment)
    if peer.removed:
        _run([str(python), "-m", "pip", "uninstall", "--yes", "--quiet", *peer.removed])
    (place / DONE).write_text(_run([str(python), "-m", "pip", "freeze"]), encoding="utf-8")
    return python


def versions(python: Path, peer: Peer) -> dict[str, str]:
    """The versions of a peer's packages as installed."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    )
    names = peer.packages or ("loquent", "numpy")
    found: dict[str, str] = json.loads(_run([str(python), "-c", code, *names]))
    if not peer.packages:  # the number stays the same while the source changes
        git = ["git", "-C", str(ROOT)]
        found["source"] = _run([*git, "rev-parse", "HEAD:src/loquent"])[:12]
        if _run([*git, "status", "--porcelain", "--", "src/loquent"]):
            found["source"] += " with changes that are not committed"
    return found


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise PeerError(f"{' '.join(command[:4])} …: {fault}") from fault
    if done.returncode:
        raise PeerError("\n".join(done.stderr.strip().splitlines()[-6:]))
    return done.stdout
