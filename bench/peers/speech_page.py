"""The page of the race in speech: medians of all rounds with the least and the most."""

import statistics
from collections.abc import Callable, Iterable
from typing import Any

Found = dict[str, Any]


def markdown(kept: dict[str, Any], wanted: dict[str, float]) -> str:
    """All tables; `wanted` is how many times as fast as its peers Loquent is to be."""
    about = kept["about"]
    processor = about["machine"].get("processor") or about["machine"].get("cpu") or ""
    lines = [
        "# Speech beside its peers",
        "",
        f"`{about['command']}`, {about['date']}, {about['threads']} threads. {processor}".rstrip(),
        "",
        "A real-time factor is seconds of work for a second of sound, without opening the model: "
        "the median of all rounds with the least and the most. “Of ours” is how many times as long "
        "a peer takes as Loquent does, round by round, also the median. Memory is the most that "
        "was resident, with the model.",
        "",
        "## Hearing",
        "",
        "LJSpeech's first chapter, as many minutes as the command says. All decode greedily at "
        "first, with times, without the text before; Loquent and faster-whisper look for speech "
        "first, by the same network. whisper.cpp has no batches.",
        "",
    ]
    head = (
        "model",
        "precision",
        "at a time",
        "peer",
        "real-time factor",
        "of ours",
        "WER",
        "memory",
    )
    lines += table(head, hearing(kept["visits"]))
    lines += ["", f"Wanted: {wanted['hear']} of ours.", "", "## Speaking", ""]
    lines += [
        "One text of eight sentences. First sound: from the call, with the voice open and warm.",
        "",
    ]
    head = ("voice", "peer", "real-time factor", "of ours", "first sound", "memory")
    lines += table(head, speaking(kept["visits"]))
    lines += ["", f"Wanted: {wanted['speak']} of ours, and a first sound within 0.3 s.", ""]
    versions = ", ".join(
        f"{peer} ({', '.join(f'{name} {number}' for name, number in each.items())})"
        for peer, each in about["versions"].items()
    )
    lines += [f"Versions: {versions}.", ""]
    lines += [f"- {each}" for each in about.get("notes", [])]
    lines += [f"- {what}: {why}" for what, why in about["failures"].items()]
    return "\n".join(lines).rstrip() + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines of Markdown."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def hearing(visits: list[Found]) -> Iterable[tuple[str, ...]]:
    """A row for each peer in each condition."""
    for (what, variant, batch), peers in grouped(visits, "hear", ("what", "variant", "batch")):
        for peer, rounds in peers.items():
            wers = {f"{100 * each['wer']:.2f} %" for each in rounds.values()}
            yield (
                what, variant, str(batch), peer, spread(rounds, factor, "{:.4f}"),
                times(rounds, peers.get("loquent", {})), " / ".join(sorted(wers)), memory(rounds),
            )  # fmt: skip


def speaking(visits: list[Found]) -> Iterable[tuple[str, ...]]:
    """A row for each voice of each peer."""
    for (what,), peers in grouped(visits, "speak", ("what",)):
        for peer, rounds in peers.items():
            first = spread(rounds, lambda each: float(each["first_seconds"]), "{:.3f}")
            yield (
                what, peer, spread(rounds, factor, "{:.4f}"),
                times(rounds, peers.get("loquent", {})), f"{first} s", memory(rounds),
            )  # fmt: skip


def grouped(
    visits: list[Found], do: str, names: tuple[str, ...]
) -> Iterable[tuple[tuple[Any, ...], dict[str, dict[int, Found]]]]:
    """What was found by condition, peer and round."""
    made: dict[tuple[Any, ...], dict[str, dict[int, Found]]] = {}
    for each in visits:
        visit = each["visit"]
        if visit["do"] == do:
            peers = made.setdefault(tuple(visit[name] for name in names), {})
            peers.setdefault(visit["peer"], {})[visit["round"]] = each["found"]
    yield from made.items()


def factor(found: Found) -> float:
    """Seconds of work for a second of sound."""
    return float(found["seconds"] / found["sound_seconds"])


def spread(rounds: dict[int, Found], figure: Callable[[Found], float], form: str) -> str:
    """The median with the least and the most."""
    values = sorted(map(figure, rounds.values()))
    low, high = form.format(values[0]), form.format(values[-1])
    return f"{form.format(statistics.median(values))} ({low} to {high})"


def times(rounds: dict[int, Found], ours: dict[int, Found]) -> str:
    """How many times as long as ours, in rounds that both have."""
    both = [factor(each) / factor(ours[turn]) for turn, each in rounds.items() if turn in ours]
    return f"{statistics.median(both):.2f}" if both else ""


def memory(rounds: dict[int, Found]) -> str:
    """The most of all rounds."""
    return f"{max(each['peak_bytes'] for each in rounds.values()) / 1e6:.0f} MB"
