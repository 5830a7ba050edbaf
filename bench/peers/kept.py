"""What was measured so far, so that a run that was cut off goes on where it was."""

import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loquent.commands.info import collected
from peers.measure import Visit


class Kept:
    """What was measured so far, in a file that is written after every step."""

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path = path
        found: dict[str, Any] = {}
        if path.exists() and not fresh:
            found = json.loads(path.read_text(encoding="utf-8"))
        machine = {
            key: value
            for key, value in collected().items()
            if key not in ("home", "packages", "python", "loquent")
        }
        machine["python"] = platform.python_version()
        if found and found["about"]["machine"] != machine:
            sys.exit(f"{path} holds figures of another machine: use --fresh or another --output")
        self.about: dict[str, Any] = found.get("about") or {
            "machine": machine, "versions": {}, "rates": {},
        }  # fmt: skip
        self.about["failures"] = {}
        self.floors: dict[str, dict[str, float]] = found.get("floors", {})
        self.samples: list[dict[str, Any]] = found.get("samples", [])

    def has(self, visit: Visit) -> bool:
        """Whether this visit was made already, by the same version of the peer."""
        wanted = self._key(visit)
        return any(all(each.get(key) == wanted[key] for key in wanted) for each in self.samples)

    def add(self, visit: Visit, found: dict[str, Any]) -> None:
        """Keep the figures of a visit."""
        self.samples.append({**self._key(visit), **found})
        self.write()
        figures = ", ".join(f"{name} {value:.4g}" for name, value in found["figures"].items())
        what = f"{visit.model} {visit.peer} {visit.variant} {visit.threads} threads"
        beside = " beside a busy process" if visit.busy else ""
        print(f"[{visit.round + 1}] {what}{beside}: {figures}", file=sys.stderr, flush=True)

    def fail(self, what: str, why: Exception) -> None:
        """Keep what could not be measured, and why."""
        self.about["failures"][what] = str(why)
        self.write()
        print(f"{what}: {why}", file=sys.stderr, flush=True)

    def write(self) -> None:
        """Replace the file."""
        unfinished = self._path.with_suffix(".unfinished")
        values = {"about": self.about, "floors": self.floors, "samples": self.samples}
        unfinished.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self._path)

    def current(self) -> list[dict[str, Any]]:
        """The figures of the versions that are installed now."""
        known = self.about["versions"]
        return [each for each in self.samples if each["versions"] == known.get(each["peer"])]

    def _key(self, visit: Visit) -> dict[str, Any]:
        key = json.loads(json.dumps(asdict(visit)))
        return {**key, "versions": self.about["versions"][visit.peer]}
