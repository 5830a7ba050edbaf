"""A run from its plan to a trained model: going on where it was stopped, judged on the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from loquent.data.split import Part
from loquent.errors import UserError
from loquent.metrics import METRICS, Score, in_language, texts
from loquent.runs import folder as place
from loquent.runs import judge
from loquent.runs.assemble import Ready, assembled
from loquent.runs.course import Course, due
from loquent.runs.estimate import Estimate
from loquent.runs.export import exported
from loquent.runs.plan import Plan
from loquent.runs.readiness import Note, check_data, check_ranks, device_of, measured, silent
from loquent.runs.result import Reason, Result
from loquent.runs.writing import text_counts, told_language
from loquent.training import checkpoints
from loquent.training.log import Log
from loquent.training.loop import Learner, Step
from loquent.training.ranks import Ranks, ranks_of
from loquent.training.saved import Saved


def _never() -> bool:
    return False


def run(
    plan: Plan,
    *,
    on_note: Note = silent,
    on_estimate: Callable[[Estimate], None] | None = None,
    on_step: Callable[[Step], None] = silent,
    stop: Callable[[], bool] = _never,
) -> Result:
    """Carry out a plan in its folder; a run that was stopped there goes on, bit by bit the same.

    `on_note` is told in sentences what a person should know, `on_estimate` once what the run will
    take, `on_step` of each step, and `stop` is asked behind each whether to save and end. Raises
    ConfigError where the folder holds a run of another plan.
    """
    folder = Path(plan.out).expanduser()
    with ranks_of(device_of(plan)) as (ranks, device):
        note = on_note if ranks.rank == 0 else silent
        if ranks.rank:
            ranks.total([0.0])  # until rank 0 has written what the others open
            ready = assembled(plan, folder, note)
            check_ranks(ready, ranks)
            return _Run(plan, ready, ranks, device, note).result(None, silent, stop)
        with place.alone(folder):
            known = place.check_plan(folder, plan)
            ready = assembled(plan, folder, note)
            check_data(known, ready, folder)
            ranks.total([0.0])
            check_ranks(ready, ranks)
            return _Run(plan, ready, ranks, device, note).result(on_estimate, on_step, stop)


class _Run:
    """What the steps of one run share, in one process of perhaps several."""

    def __init__(self, plan: Plan, ready: Ready, ranks: Ranks, device: str, note: Note) -> None:
        self._plan, self._ready, self._ranks = plan, ready, ranks
        self._device, self._note = device, note
        self._folder = Path(plan.out).expanduser()
        self._checkpoints = self._folder / place.CHECKPOINTS
        self._first = ranks.rank == 0
        self._metric = METRICS[plan.evaluate.metric or ready.task.metrics[0]]
        self._course = Course()
        self._saved_at = monotonic()
        self._language = ""  # of what the network writes
        if any(METRICS[name].reads == "texts" for name in ready.task.metrics) and ready.held_out:
            held = next(iter(ready.held_out.values()))
            self._language = told_language(ready.model, held, ready.reading.tokenizer)
        if self._metric.package:
            texts.check(self._language)

    def result(
        self,
        on_estimate: Callable[[Estimate], None] | None,
        on_step: Callable[[Step], None],
        stop: Callable[[], bool],
    ) -> Result:
        """Learn, judge, and write the model."""
        saved = checkpoints.newest(self._checkpoints, self._note) if self._first else None
        saved = self._ranks.shared(saved)
        for receipt in self._ready.receipts if saved is None else ():
            self._note(receipt)
        if on_estimate is not None and saved is None:
            found = measured(self._plan, self._ready, self._device, self._note)
            if found is not None:
                on_estimate(found)
        learner = Learner(
            self._ready.model,
            self._ready.train,
            self._plan.training,
            ranks=self._ranks,
            device=self._device,
            note=self._note,
        )
        if saved is not None:
            learner.restore(saved)
            self._course = Course(**saved.values["course"])
            self._note(f"The run goes on from step {learner.number}.")
        if self._first:
            place.write_card(self._folder, self._card())
            with Log(self._folder, resumed=learner.number) as log:
                log.text("args", f"```\n{self._card()['plan']}\n```")
                return self._learned(learner, log, on_step, stop)
        return self._learned(learner, None, on_step, stop)

    def _learned(
        self,
        learner: Learner,
        log: Log | None,
        on_step: Callable[[Step], None],
        stop: Callable[[], bool],
    ) -> Result:
        reason: Reason = "patience" if self._tired() else "budget"
        for step in learner.steps() if reason == "budget" else ():
            _write(log, "train", step.number, _figures(step))
            on_step(step)
            reason = self._after(learner, step, log, stop)
            if reason != "budget":
                break
        if reason == "stopped":
            return self._made(learner, reason, None, {}, {})
        return self._finished(learner, log, reason)

    def _after(
        self, learner: Learner, step: Step, log: Log | None, stop: Callable[[], bool]
    ) -> Reason:
        """What happens behind a step: judging, saving, stopping."""
        plan, course = self._plan, self._course
        better = False
        if step.last or due(plan.evaluate.every, step, course.share):
            better = self._judge(learner, step, log)
        late = monotonic() - self._saved_at > 60 * plan.save.minutes
        asked, overdue = self._ranks.total([float(stop()), float(late)])
        regular = due(plan.save.every, step, course.share)
        course.share = step.share
        if better or step.last or self._tired() or asked or overdue or regular:
            self._save(learner, step.number, log)
        if self._tired():
            return "patience"
        return "stopped" if asked and not step.last else "budget"

    def _tired(self) -> bool:
        patience = self._plan.evaluate.patience
        return 0 < patience <= self._course.worse

    def _judge(self, learner: Learner, step: Step, log: Log | None) -> bool:
        """Judge the network as it is; whether it is the best so far."""
        course = self._course
        if "validation" not in self._ready.held_out:
            course.best_step = step.number
            return False
        names = dict.fromkeys((self._metric.name, "loss"))
        found = judge.values(
            self._counts(learner, "validation", list(names), whole=False), self._language
        )
        better = course.judged(self._metric, found[self._metric.name], step.number)
        _write(log, "eval", step.number, found)
        told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        rest = "the best so far" if better else f"the best was {course.best:.4g}"
        self._note(f"judged at step {step.number}: {told}; {rest}.")
        return better

    def _counts(
        self, learner: Learner, part: Part, names: Sequence[str], *, whole: bool
    ) -> dict[str, judge.Counts]:
        """Counts of held-out examples under metrics; not `whole`: of the first ones only."""
        settings, batches = self._plan.evaluate, self._ready.held_out[part]
        limit = 0 if whole else -(-settings.examples // batches.config.batch)
        with learner.averaged():
            counts = judge.judged(
                learner.model,
                batches,
                names,
                device=self._device,
                ranks=self._ranks,
                limit=limit,
            )
            forms = {name: in_language(name, self._language) for name in names}
            written = {name: form for name, form in forms.items() if form.reads == "texts"}
            if written:
                tokenizer = self._ready.reading.tokenizer
                most = 0 if whole else settings.texts
                made = text_counts(learner.model, batches, tokenizer, [*written.values()], most)
                counts |= {name: made[form.name] for name, form in written.items()}
        return {name: counts[name] for name in names}

    def _save(self, learner: Learner, step: int, log: Log | None) -> None:
        state = learner.state()
        if log is not None:
            log.sync()
            checkpoints.write(
                self._checkpoints,
                step,
                Saved(state.tensors, {**state.values, "course": asdict(self._course)}),
                last=self._plan.save.keep,
                best=self._course.best_step or None,
            )
        self._saved_at = monotonic()

    def _finished(self, learner: Learner, log: Log | None, reason: Reason) -> Result:
        """Judge the best weights on all held-out data and write the model."""
        steps, tokens, seconds = learner.number, learner.tokens, learner.seconds
        best = self._course.best_step
        if best and best != learner.number:
            path = checkpoints.path_of(self._checkpoints, best)
            taken = self._ranks.shared(checkpoints.read(path) if self._first else None)
            assert taken is not None
            learner.restore(taken)
        found: dict[str, Mapping[str, Score]] = {"validation": {}, "test": {}}
        names = self._names()
        for part in self._ready.held_out:
            counts = self._counts(learner, part, names, whole=True)
            found[part] = judge.scores(counts, self._language)
        result = self._made(learner, reason, self._folder / place.MODEL, **found)
        result = replace(result, steps=steps, tokens=tokens, seconds=seconds)
        if log is not None:
            if result.test:
                values = {name: score.value for name, score in result.test.items()}
                log.write("test", result.steps, values)
            with learner.averaged():
                exported(self._plan, self._ready, learner.model, self._card(), result)
        self._ranks.total([0.0])  # nobody leaves before the model is written
        return result

    def _names(self) -> list[str]:
        """The metrics of the end: those of the task that can be had here."""
        names = dict.fromkeys((self._metric.name, "loss", *self._ready.task.metrics))
        try:
            texts.check(self._language)
        except UserError as fault:
            missing = [name for name in names if METRICS[name].package]
            for name in missing:
                self._note(f"{name} is left out: {fault}")
                del names[name]
        return list(names)

    def _made(
        self,
        learner: Learner,
        reason: Reason,
        model: Path | None,
        validation: Mapping[str, Score],
        test: Mapping[str, Score],
    ) -> Result:
        return Result(
            folder=self._folder,
            model=model,
            reason=reason,
            steps=learner.number,
            tokens=learner.tokens,
            seconds=learner.seconds,
            best_step=self._course.best_step or learner.number,
            validation=validation,
            test=test,
        )

    def _card(self) -> dict[str, Any]:
        """What run.json says."""
        parts = {"train": self._ready.train, **self._ready.held_out}
        return {
            **place.first_card(self._plan),
            "data": {
                name: {**batches.receipt, "fingerprint": batches.store.fingerprint}
                for name, batches in parts.items()
            },
            "receipts": list(self._ready.receipts),
            "parameters": sum(each.numel() for each in self._ready.model.parameters()),
        }


def _write(log: Log | None, kind: Literal["train", "eval"], step: int, values: Any) -> None:
    if log is not None:
        log.write(kind, step, values)


def _figures(step: Step) -> dict[str, float]:
    return {
        "loss": step.loss,
        "rate": step.rate,
        "gradient_norm": step.gradient_norm,
        "tokens": step.tokens,
        "seconds": round(step.seconds, 3),
        "epoch": step.place.epoch,
    }
