"""The figures as tables: medians with spreads, ratios to the best peer, and the floor."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from peers.table import PEERS

SPEEDS = ("prefill", "decode 1", "decode 8", "decode 32", "context 1024")  # more is better
FLOORED = SPEEDS[:4]  # what `probe.floors` knows
SECONDS = ("cold start", "load", "first token")  # less is better
BYTES = ("peak bytes at one row", "peak bytes")
OWN = ("loquent", "loquent-torch")

Sample = Mapping[str, Any]
Key = tuple[str, int, bool]  # model, threads, whether a core is busy
Row = tuple[str, str]  # peer, variant


def markdown(
    samples: Sequence[Sample], floors: Mapping[str, Mapping[str, float]], about: Mapping[str, Any]
) -> str:
    """Everything as one page; `floors` by "model threads class"."""
    parts = ["# Loquent and its peers\n", *_about(about)]
    keys = dict.fromkeys((each["model"], each["threads"], each["busy"]) for each in samples)
    for model, threads, busy in keys:
        some = [
            each
            for each in samples
            if (each["model"], each["threads"], each["busy"]) == (model, threads, busy)
        ]
        beside = ", a second process on one core" if busy else ""
        word = "thread" if threads == 1 else "threads"
        parts.append(f"## {model}, {threads} {word}{beside}\n")
        parts += _group(
            some, {name: floors.get(f"{model} {threads} {name}", {}) for name in _classes()}
        )
    if about.get("failures"):
        parts.append("## Not measured\n")
        parts += [f"- {name}: {' '.join(why.split())}" for name, why in about["failures"].items()]
        parts.append("")
    return "\n".join(parts)


def _classes() -> Iterable[str]:
    return dict.fromkeys(name for peer in PEERS.values() for name in peer.variants.values())


def _group(samples: Sequence[Sample], floors: Mapping[str, Mapping[str, float]]) -> list[str]:
    rows: dict[Row, list[Sample]] = {}
    for each in samples:
        rows.setdefault((each["peer"], each["variant"]), []).append(each)
    order = sorted(rows, key=lambda row: (_class(row), row[0] not in OWN, row))
    present = {name for each in samples for name in each["figures"]}
    names = [name for name in (*SPEEDS, *SECONDS, *BYTES) if name in present]
    middle = {row: {name: _median(rows[row], name) for name in names} for row in order}
    parts = [
        "Medians, with the least and the most; tokens/s over all rows, seconds, MB.\n",
        _table(
            ("peer", "precision", "runs", *names, "as f32", "foreign cores"),
            [
                (
                    row[0],
                    row[1],
                    str(len(rows[row])),
                    *(_spread(rows[row], name) for name in names),
                    _agreement(rows[row], samples),
                    _foreign(rows[row]),
                )
                for row in order
            ],
        ),
        "Ratio to the best peer of the same class / of any class (above 1 is better).\n",
        _table(
            ("peer", "precision", *names),
            [(*row, *(_ratio(row, name, middle) for name in names)) for row in order],
        ),
    ]
    if any(floors.values()):
        floored = [name for name in names if name in FLOORED]
        parts += [
            "Share of the floor that is reached (see the rates above).\n",
            _table(
                ("peer", "precision", *floored),
                [(*row, *_reached(middle[row], floors[_class(row)], floored)) for row in order],
            ),
        ]
    return parts


def _class(row: Row) -> str:
    return PEERS[row[0]].variants[row[1]]


def _median(samples: Sequence[Sample], name: str) -> float | None:
    values = [each["figures"][name] for each in samples if name in each["figures"]]
    return median(values) if values else None


def _spread(samples: Sequence[Sample], name: str) -> str:
    values = sorted(each["figures"][name] for each in samples if name in each["figures"])
    if not values:
        return "–"
    middle, least, most = (_number(each, name) for each in (median(values), values[0], values[-1]))
    return middle if len(values) == 1 else f"{middle} ({least}–{most})"


def _number(value: float, name: str) -> str:
    if name in BYTES:
        return f"{value / 1e6:.0f}"
    return f"{value:.3f}" if name in SECONDS else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _ratio(row: Row, name: str, middle: Mapping[Row, Mapping[str, float | None]]) -> str:
    """How many times better than the best of the others that are not ours."""
    own = middle[row][name]
    ratios = []
    for same in (True, False):
        values = [
            value
            for other, figures in middle.items()
            if other != row and other[0] not in OWN and (not same or _class(other) == _class(row))
            and (value := figures[name]) is not None
        ]  # fmt: skip
        if own is None or not values:
            ratios.append("–")
        else:
            better = own / max(values) if name in SPEEDS else min(values) / own
            ratios.append(f"{better:.2f}")
    return " / ".join(ratios)


def _reached(
    figures: Mapping[str, float | None], floors: Mapping[str, float], names: Sequence[str]
) -> list[str]:
    """Speeds as parts of what no program can pass."""
    found = []
    for name in names:
        value, floor = figures.get(name), floors.get(name)
        found.append(f"{value / floor:.0%}" if value is not None and floor else "–")
    return found


def _agreement(own: Sequence[Sample], samples: Sequence[Sample]) -> str:
    """How many first tokens of the answers are those of a 32-bit peer, up to a difference."""
    references = {
        (each["round"], name): ids
        for each in samples
        if _class((each["peer"], each["variant"])) == "32-bit"
        for name, ids in each["ids"].items()
    }
    equal = total = 0
    for each in own:
        for name, ids in each["ids"].items():
            reference = references.get((each["round"], name), [])[: len(ids)]
            total += len(reference)
            for mine, theirs in zip(ids, reference, strict=False):
                if mine != theirs:
                    break
                equal += 1
    return f"{equal}/{total}" if total else "–"


def _foreign(samples: Sequence[Sample]) -> str:
    """The median over all figures of the cores that others used meanwhile."""
    return f"{median(cores for each in samples for _, _, cores in each['loads'].values()):.2f}"


def _about(about: Mapping[str, Any]) -> list[str]:
    lines = [f"Command: `{about['command']}`\n"]
    lines += [f"- {name}: {value}" for name, value in about["machine"].items()]
    for name, words in about["versions"].items():
        lines.append(f"- {name}: " + ", ".join(f"{key} {value}" for key, value in words.items()))
    for name, rates in about["rates"].items():
        lines.append(
            f"- floor, {name}: read {rates['read_bytes_per_second'] / 1e9:.1f} GB/s, "
            f"{rates['operations_per_second'] / 1e12:.2f} TOPS ({rates['unit']})"
        )
    return [*lines, ""]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    left = ["---" if place < 2 else "---:" for place in range(len(head))]
    lines = [head, left, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
