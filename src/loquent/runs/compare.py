"""Compare networks: the same data, tokenizer, budget and seeds, each a run of its own folder."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from loquent.errors import ConfigError, UsageError, UserError, together
from loquent.runs import folder as place
from loquent.runs import recall
from loquent.runs.comparison import CARD, Comparison, opened
from loquent.runs.comparison_page import drawn, page
from loquent.runs.grid import GAPS, LENGTHS_WRITTEN, SEEDS, Entry, Grid, Source, entries
from loquent.runs.measures import read_measures
from loquent.runs.member import finished
from loquent.runs.members import Job, Told, carried_out
from loquent.runs.networks import Size
from loquent.runs.preparing import SHARED, prepared, shared, widened
from loquent.runs.readiness import estimated
from loquent.tasks import TASKS
from loquent.training import plots

NAME = "comparison"  # of the files beside the runs: .json, .md, .svg, .png

_OVERHEAD_SECONDS = 10.0  # of a run: its start, the last judgement, what is measured

_TOLD = ("train: ", "validation: ", "test: ", "judged at step ")  # notes that no run repeats

Note = Callable[[str], None]


@dataclass(frozen=True)
class Total:
    """What a comparison takes before it starts."""

    runs: int
    done: int  # of them are there already
    networks: int
    seeds: int
    seconds: float  # of those that are left

    def sentence(self) -> str:
        """The same in words."""
        there = f", {self.done} of them finished already" if self.done else ""
        return (
            f"{self.runs} runs of {self.networks} networks with {self.seeds} seeds{there}: "
            f"about {self.seconds / 60:.1f} minutes"
        )


@dataclass(frozen=True)
class Progress:
    """How far a comparison is."""

    run: str
    number: int  # of the run, from 1
    runs: int
    share: float  # of the run's budget
    loss: float
    seconds_left: float  # of the whole comparison


@dataclass(frozen=True)
class Work:
    """A comparison before it starts: all its runs, and how long those take that are left."""

    folder: Path
    jobs: tuple[Job, ...]
    done: frozenset[str]
    total: Total
    seconds: Mapping[str, float]  # that each of the others takes


def compare(
    plans: Source | Sequence[Source],
    *,
    networks: Sequence[str] = (),
    sizes: Sequence[Size] = (),
    seeds: int = SEEDS,
    parameters: int = 0,
    gaps: Sequence[int] = GAPS,
    lengths: Sequence[int] = LENGTHS_WRITTEN,
    on_note: Note | None = None,
    on_estimate: Callable[[Total], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Comparison | None:
    """Train several networks under the same conditions, and tell which is how good.

    `plans` is one plan as `loquent.train` takes it, of which the `networks` and `sizes` are made
    (where neither it nor `networks` names one, all six families that its task can have), or several
    plans that differ in their networks. `parameters` above 0 decides how wide each becomes. `gaps`
    are those of the long-range test, `lengths` those of the texts whose writing is timed; none
    leaves it out. What each run needs is in a folder of its own below the plan's `out`.

    A comparison that was stopped in its folder goes on; runs that are finished are not run again,
    and one that fails is named while the others go on. `on_note` is told in sentences what a person
    should know, `on_estimate` once what it will take, `on_progress` how far it is. Gives None where
    `stop` has ended it. Raises ConfigError for plans that cannot be compared, and DataError for
    data that are not as they should be or where no run at all has come to its end.
    """
    note: Note = on_note or _silent
    sources: list[Source] = [plans] if isinstance(plans, Mapping | str | Path) else list(plans)
    grid = Grid(
        networks=tuple(networks),
        sizes=tuple(sizes),
        seeds=seeds,
        parameters=parameters,
        gaps=tuple(gaps),
        lengths=tuple(lengths),
    )
    work = ready(sources, grid, note)
    if on_estimate is not None:
        on_estimate(work.total)
    return finish(work, note, on_progress or _silent, stop or _never)


def ready(
    sources: Sequence[Source], grid: Grid, note: Note, above: Mapping[str, Any] | None = None
) -> Work:
    """Prepare what the runs share and see what is left to do; nothing is trained.

    Raises as `compare` does.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        what = "a comparison is one process, which starts its runs one after the other."
        raise UsageError(what, fix="Start it without torchrun.")
    chosen = entries(sources, grid, above)
    folder = Path(chosen[0].plan.out).expanduser()
    with place.alone(folder):
        new = sorted(
            (entry for entry in chosen if not entry.plan.start.model),
            key=lambda entry: bool(entry.plan.start.embedding),  # whose tokens are others
        )
        if new:
            source = prepared(new[0].seeded(0), folder / SHARED, note)
            if grid.parameters:
                chosen = widened(chosen, source, grid.parameters)
        jobs = [*_trainings(chosen, grid, folder), *_recalls(chosen, grid, folder, note)]
        _check(jobs)
        done = frozenset(job.name for job in jobs if _done(job))
        seconds = _seconds([job for job in jobs if job.name not in done])
    total = Total(len(jobs), len(done), len(chosen), grid.seeds, sum(seconds.values()))
    return Work(folder, tuple(jobs), done, total, seconds)


def finish(
    work: Work,
    note: Note,
    on_progress: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> Comparison | None:
    """Carry out what is left and write what came out; None where `stop` ended it."""
    clock = _Clock(work)
    failed: dict[str, str] = {}
    with place.alone(work.folder):
        for number, job in enumerate(work.jobs, 1):
            if job.name in work.done:
                continue
            shared(job.shared, Path(job.plan.out).expanduser())
            clock.start(job.name)

            def told(each: Told, number: int = number, job: Job = job) -> None:
                left = clock.left(each.share)
                on_progress(Progress(job.name, number, len(work.jobs), each.share, each.loss, left))

            why = carried_out(job, _few(note, job.name), told, stop)
            if why is None:
                return None
            seconds = clock.end()
            if why:
                failed[job.name] = why
            note(f"{job.name} failed: {why}" if why else f"{job.name}: done in {seconds:.0f} s.")
        write(work.folder, failed)
        found = opened(work.folder)
        report(found)
        return found


def report(found: Comparison) -> None:
    """Write a comparison beside its runs: as JSON, as Markdown, as drawings."""
    text = json.dumps(found.plain(), ensure_ascii=False, indent=1)
    place.write_text(found.folder / CARD, f"{text}\n")
    place.write_text(found.folder / f"{NAME}.md", page(found))
    for ending in ("svg", "png"):
        plots.save(found.folder / f"{NAME}.{ending}", drawn(found))


def write(folder: Path, failed: Mapping[str, str]) -> None:
    """Keep why runs failed, also where none has come to its end."""
    place.write_text(folder / CARD, json.dumps({"unfinished": dict(failed)}) + "\n")


def _trainings(chosen: Sequence[Entry], grid: Grid, folder: Path) -> list[Job]:
    """The runs by which networks are compared: each network's first seed, then its second …"""
    writes = TASKS[chosen[0].plan.task].output == "token"
    lengths = grid.lengths if writes else ()
    return [
        Job(f"{Path(plan.out).name}", entry.label, plan, lengths, (), folder / SHARED)
        for number in range(grid.seeds)
        for entry in chosen
        for plan in [entry.seeded(number)]
    ]


def _recalls(chosen: Sequence[Entry], grid: Grid, folder: Path, note: Note) -> list[Job]:
    """The runs of the long-range test."""
    if not grid.gaps:
        return []
    place_of = recall.folder_of(folder, grid.gaps)
    able = [entry for entry in chosen if not entry.plan.start.model]
    if len(able) < len(chosen):
        others = ", ".join(entry.label for entry in chosen if entry not in able)
        note(f"The long-range test is for new networks: {others} is left out of it.")
    if not able:
        return []
    recall.written(able[0].plan, grid.gaps, place_of)
    made = []
    for number in range(grid.seeds):
        for entry in able:
            name = f"{entry.label}-{entry.plan.training.seed + number}"
            plan = recall.recall_plan(entry.seeded(number), place_of, place_of / name)
            made.append(
                Job(f"{place_of.name}/{name}", entry.label, plan, (), grid.gaps, place_of / SHARED)
            )
    prepared(made[0].plan, place_of / SHARED, _silent)
    return made


def _check(jobs: Sequence[Job]) -> None:
    """Refuse a folder that holds runs of other plans, before anything is trained."""
    faults: list[UserError] = []
    for job in jobs:
        folder = Path(job.plan.out).expanduser()
        if folder.is_dir():
            try:
                place.check_plan(folder, job.plan)
            except UserError as fault:
                faults.append(fault)
    if faults:
        raise together(ConfigError, faults)


def _done(job: Job) -> bool:
    """Whether a run has come to its end and everything was measured of it."""
    measures = read_measures(Path(job.plan.out).expanduser())
    return finished(job.plan) and measures is not None and measures.covers(job.lengths, job.gaps)


def _seconds(jobs: Sequence[Job]) -> dict[str, float]:
    """How long runs take: as long as they may, or by two passes of the first of their kind."""
    kinds: dict[tuple[str, Path], float] = {}
    made = {}
    for job in jobs:
        kind = job.label, job.shared
        if kind not in kinds:
            kinds[kind] = _OVERHEAD_SECONDS + _training_seconds(job)
        made[job.name] = kinds[kind]
    return made


def _training_seconds(job: Job) -> float:
    if job.plan.training.minutes:
        return 60 * job.plan.training.minutes
    try:
        shared(job.shared, Path(job.plan.out).expanduser())
        found = estimated(job.plan)
    except (UserError, RuntimeError, MemoryError):
        return 0.0  # it will fail when its turn comes, and be named
    return found.seconds if found is not None else 0.0


class _Clock:
    """Time left, by the runs that are behind: they may take more or less than was thought."""

    def __init__(self, work: Work) -> None:
        self._expected = dict(work.seconds)
        self._thought, self._taken = 0.0, 0.0  # of the runs that are behind
        self._name, self._began = "", 0.0

    def start(self, name: str) -> None:
        """A run begins."""
        self._name, self._began = name, monotonic()

    def end(self) -> float:
        """It is over, after so many seconds."""
        seconds = monotonic() - self._began
        self._thought += self._expected.pop(self._name)
        self._taken += seconds
        return seconds

    def left(self, share: float) -> float:
        """Seconds that are left, with so large a share of the run over."""
        rate = self._taken / self._thought if self._thought else 1.0
        others = sum(self._expected.values()) - self._expected[self._name]
        return rate * (others + self._expected[self._name] * (1 - share))


def _few(note: Note, name: str) -> Note:
    """Notes of one run, without what was told of the shared data or is in the run's log."""

    def told(text: str) -> None:
        if not text.startswith(_TOLD):
            note(f"{name}: {text}")

    return told


def _silent(_: Any) -> None:
    """Tell nobody."""


def _never() -> bool:
    return False
