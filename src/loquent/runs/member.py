"""One run of a comparison in a process of its own, so that its memory is its own.

Started as a program it reads what to do from standard input and tells lines of JSON: notes, how
far it is, and at the end that it is done or why it failed. SIGTERM saves and ends it.
"""

import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

from msgspec import structs

from loquent.errors import UserError
from loquent.runs import folder as place
from loquent.runs.differences import same
from loquent.runs.estimate import memory_bytes
from loquent.runs.execute import run
from loquent.runs.measures import Measures, read_measures, write_measures
from loquent.runs.measuring import recalled, writing_speeds
from loquent.runs.plan import Plan, planned
from loquent.runs.readiness import device_of
from loquent.training.loop import Step

_PAUSE_SECONDS = 0.1  # between two tellings of how far it is

Tell = Callable[[dict[str, Any]], None]


def finished(plan: Plan) -> bool:
    """Whether the run of exactly this plan has written its model; raises CheckpointError."""
    folder = Path(plan.out).expanduser()
    card = place.read_card(folder)
    return same(card.get("plan", {}), plan) and "result" in card and (folder / place.MODEL).is_dir()


class Member:
    """A run and what is measured of it."""

    def __init__(self, plan: Plan, tell: Tell) -> None:
        self._plan, self._tell = plan, tell
        self._told = float("-inf")
        self._steps = 0
        self._seconds = 0.0  # of the steps alone, as far as this process took them
        self._tokens: list[int] = []  # before the first and after the last of them
        self._stopped = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Save and end; before the first step end at once."""
        if not self._steps:
            raise SystemExit(0)
        self._stopped = True

    def carried_out(self, lengths: Sequence[int], gaps: Sequence[int]) -> bool:
        """Train, unless that is done, and measure; whether it came to its end."""
        folder = Path(self._plan.out).expanduser()
        known = read_measures(folder) or Measures()
        if not finished(self._plan):
            result = run(
                self._plan,
                on_note=lambda text: self._tell({"note": text}),
                on_step=self._step,
                stop=lambda: self._stopped,
            )
            if result.model is None:
                return False
            known = self._learned()
            write_measures(folder, known)
        if known.covers(lengths, gaps):
            return True
        device = device_of(self._plan)
        if lengths:
            context, writing = writing_speeds(folder, lengths, device)
            known = structs.replace(known, context=context, writing=writing)
        if gaps:
            known = structs.replace(known, recall=recalled(self._plan, gaps, device))
        write_measures(folder, known)
        return True

    def _step(self, step: Step) -> None:
        if not self._steps:
            self._tokens = [step.tokens, step.tokens]
        else:  # the first step of a process warms up
            self._tokens[1] = step.tokens
            self._seconds += step.step_seconds
        self._steps += 1
        now = monotonic()
        if step.last or now - self._told > _PAUSE_SECONDS:
            self._told = now
            self._tell({"share": step.share, "loss": step.loss, "seconds": step.seconds})

    def _learned(self) -> Measures:
        """What the steps of this process were like; nothing where it took none."""
        if not self._steps:
            return Measures()
        first, last = self._tokens
        speed = round((last - first) / self._seconds, 1) if self._seconds else None
        return Measures(tokens_per_second=speed, memory_bytes=memory_bytes())


def main() -> None:
    """Do what standard input says: a plan, lengths to write, gaps to recall over."""
    asked = json.loads(sys.stdin.read())

    def tell(values: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()

    try:
        member = Member(planned(asked["plan"]), tell)
        signal.signal(signal.SIGTERM, member.stop)
        whole = member.carried_out(asked["lengths"], asked["gaps"])
        tell({"done": whole})
    except UserError as fault:
        tell({"fault": str(fault)})


if __name__ == "__main__":
    main()
