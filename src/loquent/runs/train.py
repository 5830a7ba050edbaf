"""Train from Python: the same plans as `loquent train`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from loquent.runs.estimate import Estimate
from loquent.runs.execute import run
from loquent.runs.plan import Plan, planned
from loquent.runs.result import Result
from loquent.runs.values import read_values
from loquent.training.loop import Step


def train(
    plan: Plan | Mapping[str, Any] | str | Path,
    *,
    on_note: Callable[[str], None] | None = None,
    on_estimate: Callable[[Estimate], None] | None = None,
    on_step: Callable[[Step], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Result:
    """Train a network by a plan: a TOML file, or nested settings as it would have them.

    For example `{"task": "generate", "data": {"train": "text.txt"}, "training": {"minutes": 5},
    "out": "run"}`. A run that was stopped in its folder goes on. `on_note` is told in sentences
    what a person should know, `on_estimate` once what the run will take, `on_step` of each step;
    where `stop` says so, the run is saved and ends. Raises ConfigError for a wrong plan, and
    DataError and CheckpointError for data and models that are not as they should be.
    """
    if isinstance(plan, str | Path):
        made = planned(read_values(Path(plan)), str(plan))
    else:
        made = plan if isinstance(plan, Plan) else planned(plan)
    return run(
        made,
        on_note=on_note or _silent,
        on_estimate=on_estimate,
        on_step=on_step or _silent,
        stop=stop or _never,
    )


def _silent(_: object) -> None:
    """Tell nobody."""


def _never() -> bool:
    return False
