"""Speech beside its peers: faster-whisper and whisper.cpp hear, piper and hibari speak.

    python bench/peers.py speech [--rounds 5] [--models whisper-tiny.en whisper-base] [--resume]

Each visit is one peer once, in a process of its own; rounds alternate. What is heard are ten
minutes of LJSpeech's first chapter, its clips with 0.3 s between them; all decode greedily at
first, with times and without the text before, in the same precision, on two threads. What is said
is one long text; a voice is compared with its own package, which has the same weights. Writes
bench/results/peers-speech.json after every visit and .md at the end. `--by` is put before each
visit's command, such as a program that lets nothing else run meanwhile.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from loquent.audio.reading import RATE, read_sound
from loquent.audio.sound import Sound
from loquent.audio.writing import write_sound
from loquent.checkpoints import hub
from loquent.commands.info import machine
from loquent.metrics.alignment import edits
from loquent.metrics.normalizing import english
from peers.environments import PeerError, interpreter, versions
from peers.process import OFFLINE, THREAD_VARIABLES
from peers.table import Peer
from peers.whisper_files import made

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
VISIT = Path(__file__).with_name("speech_visit.py")
VISIT_SECONDS = 600
GAP_SECONDS = 0.3
PRECISIONS = {"int8": "8 bits", "f32": "32 bits"}

PEERS = {
    "loquent": Peer(adapter="speech_loquent", packages=(), variants=PRECISIONS),
    "faster-whisper": Peer(
        adapter="speech_faster_whisper", packages=("faster-whisper",), variants=PRECISIONS
    ),
    "whisper.cpp": Peer(
        adapter="speech_whisper_cpp", packages=("pywhispercpp",), variants=PRECISIONS,
        source=("pywhispercpp",),
        environment={"GGML_NATIVE": "ON", "CMAKE_ARGS": "-DGGML_NATIVE=ON"},
    ),
    "piper": Peer(adapter="speech_piper", packages=("piper-tts",), variants={"joe": "32 bits"}),
    "hibari": Peer(
        adapter="speech_hibari", packages=("hibari-tts",), variants={"hibari": "8 bits"}
    ),
}  # fmt: skip
BATCHES = {1: ("loquent", "faster-whisper", "whisper.cpp"), 8: ("loquent", "faster-whisper")}
VOICES = {"hibari": ("loquent", "hibari"), "joe": ("loquent", "piper")}
WANTED = {"hear": 1.3, "speak": 1.2}

TEXT = (
    "It was a bright cold day in April, and the clocks were striking thirteen. The printing press, "
    "which had come from Germany in the fifteenth century, changed the world more than any war. On "
    "March 5, 2024, the committee published 23 new rules, which cost $4.50 each. Dr. Smith, who "
    "lives in St. Paul, said that he had never seen anything like it before! Would you believe "
    "that the river is more than three thousand kilometers long? The children were playing in the "
    "garden while their grandmother read the newspaper. In the evening, when the light was fading, "
    "the old man closed his shop and walked slowly home along the harbor."
)


@dataclass(frozen=True)
class Visit:
    """One peer once."""

    do: str  # hear or speak
    what: str  # a model or a voice
    variant: str  # a precision, or the voice
    batch: int  # windows that are heard at a time; 0 for voices
    peer: str
    round: int

    @property
    def key(self) -> dict[str, Any]:
        """All but the round."""
        return {name: value for name, value in vars(self).items() if name != "round"}


def main(words: list[str]) -> None:
    """Measure what is asked for and write the page."""
    given = arguments(words)
    kept = begun(given)
    pythons = environments(given, kept)
    sound, meant = passage(given)
    files = {
        name: made(name, given.environments / "models", list(given.precisions))
        for name in given.models
    }
    files |= {name: hub.resolve(name) for name in given.voices}
    for visit in visits(given):
        done = any(each["visit"] == vars(visit) for each in kept["visits"])
        if done or visit.peer not in pythons:
            continue
        try:
            found = visited(given, visit, pythons[visit.peer], files[visit.what], sound)
        except PeerError as fault:
            kept["about"]["failures"][f"{visit.peer}, {visit.what}, {visit.variant}"] = str(fault)
            sys.stderr.write(f"{visit}: {fault}\n")
            continue
        if "text" in found:
            found["wer"] = wrong(found.pop("text"), meant)
        kept["visits"].append({"visit": vars(visit), "found": found})
        sys.stderr.write(f"{visit.key} {told(found)}\n")
        write(given.output, kept)
    write(given.output, kept)
    text = page(kept)
    given.output.with_suffix(".md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    home = Path(os.environ.get("LOQUENT_HOME", "~/.cache/loquent")).expanduser() / "bench"
    parser = argparse.ArgumentParser(
        prog="bench/peers.py speech",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    add("--models", nargs="*", default=["whisper-tiny.en", "whisper-base"])
    add("--voices", nargs="*", choices=VOICES, default=list(VOICES))
    add("--precisions", nargs="+", choices=PRECISIONS, default=["int8"])
    add("--rounds", type=int, default=5)
    add("--threads", type=int, default=2)
    add("--minutes", type=float, default=10.0, help="of speech that is heard")
    add("--data", type=Path, default=ROOT.parent / "shared" / "data")
    add("--by", default="", metavar="COMMAND", help="before the command of each visit")
    add("--resume", action="store_true", help="keep the visits of the last run and go on")
    add("--note", action="append", default=[], help="a sentence for the page; repeatable")
    add("--environments", type=Path, default=home, metavar="FOLDER")
    add("--reuse", action="append", default=[], metavar="PEER=PYTHON")
    add("--output", type=Path, default=RESULTS / "peers-speech.json")
    given = parser.parse_args(words)
    given.environments = given.environments.resolve()
    given.reuse = {
        name: Path(path) for name, _, path in (each.partition("=") for each in given.reuse)
    }
    return given


def begun(given: argparse.Namespace) -> dict[str, Any]:
    """What was measured before, or nothing yet."""
    if given.resume and given.output.exists():
        kept: dict[str, Any] = json.loads(given.output.read_text(encoding="utf-8"))
    else:
        kept = {"about": {"versions": {}}, "visits": []}
    told = machine()
    kept["about"] |= {
        "command": f"python bench/peers.py speech --rounds {given.rounds} --threads {given.threads}"
        f" --precisions {' '.join(given.precisions)} --minutes {given.minutes:g}",
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": {key: told[key] for key in told if key not in ("packages", "loquent")},
        "threads": given.threads,
        "failures": {},
        "notes": [*kept["about"].get("notes", []), *given.note],
    }
    return kept


def environments(given: argparse.Namespace, kept: dict[str, Any]) -> dict[str, Path]:
    """The interpreter of each peer that can be installed."""
    found = {}
    for name in given.peers:
        try:
            found[name] = interpreter(name, PEERS[name], given.environments, given.reuse)
            if not any(each["visit"]["peer"] == name for each in kept["visits"]):
                kept["about"]["versions"][name] = versions(found[name], PEERS[name])
        except PeerError as fault:
            kept["about"]["failures"][f"{name} (not installed)"] = str(fault)
    return found


def passage(given: argparse.Namespace) -> tuple[Path, str]:
    """Minutes of speech as one file, and what is said in it."""
    from speech import clips  # noqa: PLC0415  the page of bench/speech.py is not needed elsewhere

    gap = np.zeros(round(GAP_SECONDS * RATE), np.float32)
    parts, texts, count = list[Any](), list[str](), 0
    for path, text in clips(given.data):
        samples = read_sound(path).samples
        if count + len(samples) > given.minutes * 60 * RATE:
            break
        parts += [samples, gap]
        texts.append(text)
        count += len(samples) + len(gap)
    target: Path = given.environments / f"lj001-{given.minutes:g}.wav"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_sound(target, Sound(np.concatenate(parts), RATE))
    return target, " ".join(texts)


def visits(given: argparse.Namespace) -> Iterator[Visit]:
    """Round by round over all, beginning with another peer in each round."""
    for turn in range(given.rounds):
        for what in given.models:
            for variant in given.precisions:
                for batch, peers in BATCHES.items():
                    for peer in _turned(peers, turn, given):
                        yield Visit("hear", what, variant, batch, peer, turn)
        for what in given.voices:
            for peer in _turned(VOICES[what], turn, given):
                yield Visit("speak", what, what, 0, peer, turn)


def _turned(peers: tuple[str, ...], turn: int, given: argparse.Namespace) -> list[str]:
    start = turn % len(peers)
    return [each for each in (*peers[start:], *peers[:start]) if each in given.peers]


def visited(
    given: argparse.Namespace, visit: Visit, python: Path, files: Path, sound: Path
) -> dict[str, Any]:
    """What one visit gave; raises PeerError."""
    request = {
        "do": visit.do, "files": str(files), "variant": visit.variant, "threads": given.threads,
    }  # fmt: skip
    if visit.do == "hear":
        request |= {"batch": visit.batch, "sound": str(sound)}
    else:
        request["text"] = TEXT
    adapter = str(PEERS[visit.peer].path)
    words = [str(python), "-P", str(VISIT), adapter, json.dumps(request)]
    threads = {name: str(given.threads) for name in THREAD_VARIABLES}
    if PEERS[visit.peer].source:  # what is built here does not find its own libraries
        places = (python.parents[1] / "lib").glob("python*/site-packages")
        threads["LD_LIBRARY_PATH"] = str(next(places, ""))
    done = subprocess.run(
        [*shlex.split(given.by), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=VISIT_SECONDS,
        env={**os.environ, **OFFLINE, **threads},
    )
    if done.returncode or not done.stdout:
        raise PeerError(" / ".join(done.stderr.strip().splitlines()[-2:])[-300:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def wrong(text: str, meant: str) -> float:
    """The word error rate; what stands in parentheses was read aloud."""
    wanted = english(meant.replace("(", " ").replace(")", " ")).split()
    return round(edits(wanted, english(text).split()) / len(wanted), 5)


def told(found: dict[str, Any]) -> str:
    """A line for who waits."""
    factor = found["seconds"] / found["sound_seconds"]
    return f"real-time factor {factor:.4f}, {found['peak_bytes'] / 1e6:.0f} MB"


def write(path: Path, kept: dict[str, Any]) -> None:
    """Replace the file."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def page(kept: dict[str, Any]) -> str:
    """Tables of medians with the least and the most, and how much faster Loquent is."""
    from peers.speech_page import markdown  # noqa: PLC0415  only at the end

    return markdown(kept, WANTED)
