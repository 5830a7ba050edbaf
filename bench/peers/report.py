"""The figures as tables: medians with spreads, ratios to the best peer, and the floor."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from peers.measure import TASKS
from peers.table import OWN, PEERS

# What we ask of ourselves: so many times the best peer's speed of the same class; in prefill,
# of any class.
WANTED = {"prefill": 1.3, "decode 8": 2.5, "decode 32": 1.7}
WANTED_ONE_ROW = {"8-bit": 1.8, "4-bit": 2.0}
WANTED_BUSY = 1.5
WANTED_START = 0.3
WANTED_MEMORY = 1.4
SPEEDS = ("prefill", "decode 1", "decode 8", "decode 32", "context 1024")  # more is better
FLOORED = SPEEDS[:4]  # what `probe.floors` knows
SECONDS = ("command start", "cold start", "load", "first token")  # less is better
BYTES = ("peak bytes at one row", "peak bytes", "packed file bytes")

Sample = Mapping[str, Any]
Key = tuple[str, int, bool]  # model, threads, whether a core is busy
Row = tuple[str, str]  # peer, variant


def markdown(
    samples: Sequence[Sample], floors: Mapping[str, Mapping[str, float]], about: Mapping[str, Any]
) -> str:
    """Everything as one page; `floors` by "model threads class"."""
    groups: dict[Key, list[Sample]] = {}
    for each in samples:
        groups.setdefault((each["model"], each["threads"], each["busy"]), []).append(each)
    parts = ["# Loquent and its peers\n", *_about(about), "## In short\n"]
    parts += [_short(groups, floors), _starts(groups)]
    for (model, threads, busy), some in groups.items():
        parts.append(f"## {model}, {_conditions(threads, busy)}\n")
        parts += _group(
            some, {name: floors.get(f"{model} {threads} {name}", {}) for name in _classes()}
        )
    parts += _missing(samples, about)
    return "\n".join(parts)


def _conditions(threads: int, busy: bool) -> str:
    word = "thread" if threads == 1 else "threads"
    return f"{threads} {word}" + (", a second process on one core" if busy else "")


def _short(
    groups: Mapping[Key, Sequence[Sample]], floors: Mapping[str, Mapping[str, float]]
) -> str:
    """Our speeds at 8 and 4 bits beside the best peer's, and what was wanted."""
    lines = []
    for (model, threads, busy), samples in groups.items():
        rows = _rows(samples)
        for mine in (row for row in rows if row[0] == OWN[0] and _class(row) in WANTED_ONE_ROW):
            for name in FLOORED:
                best = _best(rows, mine, name, any_class=name == "prefill")
                own = _median(rows[mine], name)
                if best is None or own is None:
                    continue
                theirs = _median(rows[best], name)
                assert theirs is not None
                wanted = WANTED_BUSY if busy else WANTED.get(name) or WANTED_ONE_ROW[_class(mine)]
                floor = floors.get(f"{model} {threads} {_class(mine)}", {}).get(name)
                paired = _paired(rows[mine], rows[best], name)
                lines.append((
                    model, _conditions(threads, busy), name, mine[1],
                    _spread(rows[mine], name), " ".join(best), _spread(rows[best], name),
                    f"{own / theirs:.2f} ({min(paired):.2f}–{max(paired):.2f})" if len(paired) > 1
                    else f"{own / theirs:.2f}",
                    f"{wanted:g}", "yes" if own / theirs >= wanted else "no",
                    f"{own / floor:.0%}" if floor else "–",
                ))  # fmt: skip
    head = (
        "model", "conditions", "figure", "ours", "tokens/s", "best peer", "its tokens/s",
        "ratio (of each round)", "wanted", "reached", "of the floor",
    )  # fmt: skip
    return _table(head, lines)


def _starts(groups: Mapping[Key, Sequence[Sample]]) -> str:
    """Our starts and memory beside the best peer's of any class, on all cores of a free machine."""
    lines = []
    most = max((threads for _, threads, busy in groups if not busy), default=0)
    for (model, threads, busy), samples in groups.items():
        rows = _rows(samples)
        for mine in (row for row in rows if row[0] == OWN[0] and (threads, busy) == (most, False)):
            cells = [model, mine[1], _spread(rows[mine], "command start")]
            for name in ("cold start", "peak bytes at one row"):
                own = _median(rows[mine], name)
                others = {
                    row: value
                    for row, each in rows.items()
                    if row[0] not in OWN and (value := _median(each, name)) is not None
                }
                best = min(others, key=lambda row: others[row], default=None)
                cells.append(_spread(rows[mine], name))
                cells.append(f"{_number(others[best], name)}, {' '.join(best)}" if best else "–")
                cells.append(f"{others[best] / own:.2f}" if best and own else "–")
            memory = _median(rows[mine], BYTES[0])
            packed = _median(rows[mine], "packed file bytes")
            cells.append(f"{memory / packed:.2f}" if memory and packed else "–")
            lines.append(tuple(cells))
    head = (
        "model", "ours", f"`loquent generate` to its first output (wanted {WANTED_START} s)",
        "cold start", "best peer's", "times faster", "peak MB at one row", "best peer's",
        "times smaller", f"peak over packed file (wanted {WANTED_MEMORY})",
    )  # fmt: skip
    return _table(head, lines)


def _rows(samples: Sequence[Sample]) -> dict[Row, list[Sample]]:
    found: dict[Row, list[Sample]] = {}
    for each in samples:
        found.setdefault((each["peer"], each["variant"]), []).append(each)
    return found


def _best(
    rows: Mapping[Row, Sequence[Sample]], mine: Row, name: str, any_class: bool
) -> Row | None:
    """The fastest of the peers that are not ours."""
    speeds = {
        row: speed
        for row, samples in rows.items()
        if row[0] not in OWN and (any_class or _class(row) == _class(mine))
        and (speed := _median(samples, name)) is not None
    }  # fmt: skip
    return max(speeds, key=lambda row: speeds[row]) if speeds else None


def _paired(own: Sequence[Sample], others: Sequence[Sample], name: str) -> list[float]:
    """Ratios within each round in which both were measured."""
    theirs = {each["round"]: each["figures"].get(name) for each in others}
    return [
        each["figures"][name] / other
        for each in own
        if name in each["figures"] and (other := theirs.get(each["round"])) is not None
    ]


def _missing(samples: Sequence[Sample], about: Mapping[str, Any]) -> list[str]:
    """What could not be measured, and what was left out, each with the reason."""
    found = {name: [" ".join(why.split())] for name, why in about["failures"].items()}
    for each in samples:
        where = f"{each['peer']} {each['variant']}, {each['model']}"
        for task, why in each["failed"].items():
            place = f"{where}, {_conditions(each['threads'], each['busy'])}: {task}"
            found.setdefault(place, [" ".join(why.split())])
    parts = ["## Not measured, or not again\n"]
    parts += [
        f"- {name} has no {PEERS[name].lacks}" for name in about["versions"] if PEERS[name].lacks
    ]
    parts += [f"- {name}: {why}" for name, [why] in found.items()]
    parts += [f"- {name}: {why}" for name, why in about["not again"].items()]
    return [*parts, ""]


def _classes() -> Iterable[str]:
    return dict.fromkeys(name for peer in PEERS.values() for name in peer.variants.values())


def _group(samples: Sequence[Sample], floors: Mapping[str, Mapping[str, float]]) -> list[str]:
    rows = _rows(samples)
    order = sorted(rows, key=lambda row: (_class(row), row[0] not in OWN, row))
    present = {name for each in samples for name in each["figures"]}
    names = [name for name in (*SPEEDS, *SECONDS, *BYTES) if name in present]
    middle = {row: {name: _median(rows[row], name) for name in names} for row in order}
    parts = [
        "Medians, with the least and the most; tokens/s over all rows, seconds, MB. Behind them: "
        "how many first tokens of the answers are those of a 32-bit peer up to a first difference, "
        "the cores that others used, and how many tokens were written where not all 128. "
        "Nobody guesses ahead or shares prompts.\n",
        _table(
            ("peer", "precision", "runs", *names, "as f32", "foreign cores", "new tokens"),
            [
                (
                    row[0],
                    row[1],
                    str(len(rows[row])),
                    *(_spread(rows[row], name) for name in names),
                    _agreement(rows[row], samples),
                    _foreign(rows[row]),
                    _shortened(rows[row]),
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
    cores = [cores for each in samples for _, _, cores in each["loads"].values()]
    return f"{median(cores):.2f}" if cores else "–"


def _shortened(samples: Sequence[Sample]) -> str:
    """The least number of new tokens of each task that was not run in full."""
    least: dict[str, int] = {}
    for each in samples:
        for name, count in each["new_tokens"].items():
            least[name] = min(count, least.get(name, count))
    parts = [f"{name}: {count}" for name, count in least.items() if count < TASKS[name].new]
    return ", ".join(parts) or "as wanted"


def _about(about: Mapping[str, Any]) -> list[str]:
    lines = [f"`{about['command']}`, {about['date']}\n"]
    lines += [f"- {name}: {value}" for name, value in about["machine"].items()]
    for name, words in about["versions"].items():
        lines.append(f"- {name}: " + ", ".join(f"{key} {value}" for key, value in words.items()))
    for name, rates in about["rates"].items():
        lines.append(
            f"- floor, {name}: read {rates['read_bytes_per_second'] / 1e9:.1f} GB/s, "
            f"{rates['operations_per_second'] / 1e12:.2f} T operations/s ({rates['unit']})"
        )
    return [*lines, ""]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    left = ["---" if place < 2 else "---:" for place in range(len(head))]
    lines = [head, left, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
