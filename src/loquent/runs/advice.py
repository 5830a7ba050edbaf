"""What a comparison says in sentences: which network to take, why, and how sure that is."""

from collections.abc import Iterator, Sequence

from loquent.runs.comparison import Comparison, Row
from loquent.runs.figures import Figure
from loquent.runs.recall import CHANCE

_RECALLED = 0.5  # of the texts: from here on something is recalled in part
_SLOWER = 0.8  # share of the speed below which one is slower


def advice(found: Comparison) -> list[str]:
    """The recommendation first, then what speaks for other networks."""
    return [_recommended(found), *_recall(found), *_writing(found), *_missing(found)]


def _recommended(found: Comparison) -> str:
    best = found.rows[0]
    if len(found.rows) == 1:
        return f"There is nothing to choose: only {best.label} came to an end."
    if any(len(row.seeds) < 2 for row in found.rows):
        few = _several([row.label for row in found.rows if len(row.seeds) < 2])
        return (
            f"No network is recommended: {few} has one seed only, which does not say how another "
            f"would do. Two seeds can tell it, three are better."
        )
    first = best.scores[found.metric]
    near = [row for row in found.rows[1:] if not first.differs(row.scores[found.metric])]
    sure = (
        f"The 95 % intervals are over {_seeds(found.rows)} seeds and {first.examples:,} "
        f"{found.part} examples; other data or another budget may have another order."
    )
    if near:
        equal = [best, *near]
        told = _several([f"{row.label} ({shown(row.scores[found.metric])})" for row in equal])
        return (
            f"There is no winner: by {found.metric}, {told} cannot be told apart. "
            f"{_between(equal)}{sure}"
        )
    second = found.rows[1]
    return (
        f"Take {best.label}: its {found.metric} of {shown(first)} is better than that of all "
        f"others, of which {second.label} is the next with {shown(second.scores[found.metric])}. "
        f"{sure}"
    )


def _between(equal: Sequence[Row]) -> str:
    """What tells networks of the same quality apart."""
    made = [(min(equal, key=lambda row: row.parameters).label, "is the smallest")]
    fast = [row for row in equal if row.tokens_per_second]
    if len(fast) == len(equal):
        quick = max(fast, key=lambda row: row.tokens_per_second or 0.0)
        made.append((quick.label, "learned from the most tokens a second"))
    writers = {row.label: _speed(row, _longest(row)) for row in equal}
    known = {label: speed for label, speed in writers.items() if speed}
    if len(known) == len(equal) and len({_longest(row) for row in equal}) == 1:
        made.append((max(known, key=lambda label: known[label]), "writes fastest"))
    leads = dict.fromkeys(label for label, _ in made)
    told = [f"{lead} {_several([what for label, what in made if label == lead])}" for lead in leads]
    return f"Between them: {'; '.join(told)}. "


def _recall(found: Comparison) -> Iterator[str]:
    """Who recalls what was seen the most tokens ago."""
    rows = [row for row in found.rows if row.recall]
    if not rows:
        return
    gap = max(max(row.recall) for row in rows)
    figures = {row.label: row.recall[gap] for row in rows if gap in row.recall}
    groups: dict[str, list[str]] = {"recalled by": [], "recalled in part by": [], "not by": []}
    for label, figure in figures.items():
        groups[_group(figure)].append(f"{label}, {percent(figure)}")
    told = "; ".join(f"{how} {'; '.join(names)}" for how, names in groups.items() if names)
    yield (
        f"What was seen {gap} tokens ago is {told}. By chance {CHANCE:.0%} would be right; the "
        f"budget of this test was the same for all."
    )


def _group(figure: Figure) -> str:
    if figure.low > _RECALLED:
        return "recalled by"
    return "recalled in part by" if figure.low > CHANCE else "not by"


def _writing(found: Comparison) -> Iterator[str]:
    """Who becomes slower the more there is already, in the one runtime that all have."""
    slower: list[str] = []
    even: list[str] = []
    for row in found.rows:
        speeds = [
            (each.tokens, each.tokens_per_second)
            for each in row.writing
            if each.runtime == "torch" and each.tokens_per_second
        ]
        if len(speeds) < 2:
            continue
        (short, fast), (long, slow) = speeds[0], speeds[-1]
        share = slow / fast
        told = f"{row.label} ({long} tokens at {share:.0%} of the speed of {short})"
        (slower if share < _SLOWER else even).append(told)
    if slower:
        yield f"The longer the text, the slower write {_several(slower)}."
    elif even:
        yield f"None became much slower with longer texts: {_several(even)}."
    limited = [f"{row.label} ({row.context} tokens)" for row in found.rows if row.context]
    free = [row.label for row in found.rows if row.writing and not row.context]
    if limited and free:
        yield (
            f"Texts are no longer than the windows of training with {_several(limited)}; "
            f"{_several(free)} can go on for ever."
        )


def _missing(found: Comparison) -> Iterator[str]:
    if found.unfinished:
        told = "; ".join(f"{name}: {why}" for name, why in found.unfinished.items())
        yield f"Without a result: {told}."


def shown(figure: Figure) -> str:
    """A figure with its interval."""
    return f"{figure.value:.4g} ({figure.low:.4g} to {figure.high:.4g})"


def percent(figure: Figure) -> str:
    """A share with its interval."""
    return f"{figure.value:.0%} ({figure.low:.0%} to {figure.high:.0%})"


def _longest(row: Row) -> int:
    speeds = [each.tokens for each in row.writing if each.tokens_per_second]
    return max(speeds, default=0)


def _speed(row: Row, tokens: int) -> float:
    """The best of the runtimes."""
    speeds = [each.tokens_per_second or 0.0 for each in row.writing if each.tokens == tokens]
    return max(speeds, default=0.0)


def _seeds(rows: Sequence[Row]) -> str:
    counts = sorted({len(row.seeds) for row in rows})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _several(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
