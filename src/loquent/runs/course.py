"""How a run has gone so far: what decides when to judge, save and stop; saved with the weights."""

from dataclasses import dataclass

from loquent.metrics import Metric
from loquent.training.loop import Step


@dataclass
class Course:
    """The state of a run beside that of its learner."""

    best: float | None = None  # value of the deciding metric
    best_step: int = 0
    worse: int = 0  # judgements since the best one
    share: float = 0.0  # of the budget that the last step had used up

    def judged(self, metric: Metric, value: float, step: int) -> bool:
        """Take note of a judgement; whether it is the best so far."""
        if self.best is None or metric.better(value, self.best):
            self.best, self.best_step, self.worse = value, step, 0
            return True
        self.worse += 1
        return False


def due(every: float, step: Step, before: float) -> bool:
    """Whether something that happens so often falls on this step.

    `every` is a number of steps or, below 1, a share of the run, of which `before` was over when
    the step began; 0: never.
    """
    if every >= 1:
        return step.number % round(every) == 0
    return every > 0 and int(step.share / every) > int(before / every)
