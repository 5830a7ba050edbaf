"""What was measured so far, so that a run that was cut off goes on where it was."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loquent.commands.info import machine as described
from peers.measure import Found, Visit


class Kept:
    """What was measured so far, in a file that is written after every visit."""

    def __init__(self, path: Path, resume: bool) -> None:
        self._path = path
        found: dict[str, Any] = {}
        if path.exists() and resume:
            found = json.loads(path.read_text(encoding="utf-8"))
        machine = {
            key: value for key, value in described().items() if key not in ("packages", "loquent")
        }
        if found and found["about"]["machine"] != machine:
            sys.exit(f"{path} holds figures of another machine: use another --output")
        self.about: dict[str, Any] = found.get("about") or {
            "machine": machine, "versions": {}, "rates": {},
        }  # fmt: skip
        self.about["failures"], self.about["not again"] = {}, {}
        self.floors: dict[str, dict[str, float]] = found.get("floors", {})
        self.samples: list[dict[str, Any]] = [
            each for each in found.get("samples", []) if "start" not in each["failed"]
        ]  # what could not start is tried again

    def has(self, visit: Visit) -> bool:
        """Whether this visit was made already, by the same version of the peer."""
        wanted = self._key(visit)
        return any(all(each[key] == wanted[key] for key in wanted) for each in self.samples)

    def add(self, visit: Visit, found: Found) -> None:
        """Keep what a visit gave."""
        self.samples.append({**self._key(visit), **asdict(found)})
        self.write()
        said = ", ".join(f"{name} {value:.4g}" for name, value in found.figures.items())
        said += "".join(f"; {name} failed: {why}" for name, why in found.failed.items())
        print(f"[{visit.round + 1}] {name_of(visit)}: {said}", file=sys.stderr, flush=True)

    def fail(self, what: str, why: object) -> None:
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

    def of(self, model: str, threads: int, busy: bool) -> list[dict[str, Any]]:
        """The current figures of all peers under these conditions."""
        wanted = (model, threads, busy)
        return [
            each
            for each in self.current()
            if (each["model"], each["threads"], each["busy"]) == wanted
        ]

    def _key(self, visit: Visit) -> dict[str, Any]:
        key: dict[str, Any] = {
            name: value
            for name, value in asdict(visit).items()
            if name not in ("tasks", "answer_seconds")
        }
        return {**key, "versions": self.about["versions"][visit.peer]}


def name_of(visit: Visit) -> str:
    """A visit in words, less its round."""
    word = "thread" if visit.threads == 1 else "threads"
    beside = " beside a busy process" if visit.busy else ""
    return f"{visit.peer} {visit.variant}, {visit.model}, {visit.threads} {word}{beside}"
