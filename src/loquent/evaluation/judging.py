"""Asking a model about all examples, and making a report of what it told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from loquent.data.reading import ignore
from loquent.errors import UsageError, nearest
from loquent.evaluation.asking import Answers, Progress, ask
from loquent.evaluation.job import Job, Judge
from loquent.evaluation.looking import Source
from loquent.evaluation.report import Data, Report, Subject
from loquent.evaluation.settings import Settings, changed
from loquent.evaluation.tally import Tally, confusion
from loquent.lm.lm import LM
from loquent.lm.opening import open
from loquent.metrics import METRICS
from loquent.metrics.chances import curve
from loquent.tasks.defaults import chosen

Model = str | Path | LM
_NO_MODEL = "no model"
_OF_COUNTS = ("by", "language", "limit", "seed")  # settings that change no answer


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Whom an evaluation tells how far it is, and what a person should know."""

    progress: Callable[[str], Progress] | None = None  # of a model's name
    note: Callable[[str], None] = ignore
    opened: Callable[[str], LM] = field(default=open)  # how a model is opened by its name


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a model told, and its counts; the model itself may go."""

    subject: Subject
    setting: str  # what else belongs into signatures
    note: str
    answers: Answers
    tally: Tally


@dataclass(frozen=True)
class Work:
    """What is the same for every model."""

    job: Job
    source: Source
    settings: Settings
    metrics: tuple[str, ...]
    telling: Telling
    overwrite: bool

    def judged(self, model: Model | None, folder: Path) -> Judged:
        """Ask one model about everything, and count its answers."""
        lm, name = self._opened(model)
        subject = _subject(lm, name, self.settings)
        judge = self.job.judge(lm, self.settings, self.source.look)
        if judge.note:
            self.telling.note(judge.note)
        folder.mkdir(parents=True, exist_ok=True)
        size = self.settings.batch or self.job.size
        header = {
            "command": "evaluate",
            "input": self.source.sha256,
            "settings": {
                "task": self.job.name,
                **vars(subject),
                **{
                    name: str(value)
                    for name, value in changed(self.settings).items()
                    if name not in _OF_COUNTS
                },
            },
            "size": size,
        }
        progress = self.telling.progress
        answers = ask(
            judge,
            self.source.look,
            folder / "answers.jsonl",
            header,
            size=size,
            overwrite=self.overwrite,
            progress=progress(subject.name) if progress is not None else None,
        )
        tally = Tally(self._names(judge), judge.classes)
        for item, outcomes in zip(self.source.look.items(), answers, strict=True):
            for outcome in outcomes:
                tally.add(item, outcome)
        return Judged(
            subject=subject, setting=judge.setting, note=judge.note, answers=answers, tally=tally
        )

    def _opened(self, model: Model | None) -> tuple[LM | None, str]:
        """The model, and its name as it was given."""
        if isinstance(model, LM):
            return model, model.checkpoint.card.name
        if model is not None:
            return self.telling.opened(str(model)), str(model)
        if not self.job.needs_model(self.settings):
            return None, ""
        application = self.job.application
        if application == "generate":
            raise UsageError(f"the task {self.job.name!r} needs a model.", fix="Name one.")
        given = self.settings.labels and application == "classify"
        wanted = "label" if given else application
        name = chosen(wanted, self._languages()).name
        self.telling.note(f"model: {name}, the catalogue's for this")
        return self.telling.opened(name), name

    def _languages(self) -> list[str]:
        """The languages that the model must know."""
        look, given = self.source.look, self.settings
        languages = [given.source or look.asked_language]
        if self.job.name == "translate":
            languages.append(given.target or look.language)
        return [each for each in languages if each]

    def _names(self, judge: Judge) -> list[str]:
        usual = self.job.metrics(self.settings, self.source.look.language)
        names = list(self.metrics or (self.job.several if judge.several else usual))
        reads = {METRICS[name].reads for name in usual}
        unknown = [name for name in names if name not in METRICS]
        if unknown:
            raise UsageError(
                f"there is no metric {unknown[0]!r}.", fix=nearest(unknown[0], METRICS)
            )
        wrong = [name for name in names if METRICS[name].reads not in reads]
        if wrong:
            fits = [name for name, each in METRICS.items() if each.reads in reads]
            raise UsageError(
                f"{wrong[0]!r} is no metric of the task {self.job.name!r}.",
                fix=f"It has {', '.join(fits)}.",
            )
        return names

    def report(self, judged: Judged) -> Report:
        """All that is known of one model."""
        tally, seed, source = judged.tally, self.settings.seed, self.source
        setting = "|".join(
            each
            for each in (
                judged.setting,
                f"data:{source.sha256[:8]}",
                f"model:{judged.subject.weights[:8]}" if judged.subject.weights else "",
                judged.subject.executor.replace(" ", ":"),
                f"loquent:{version('loquent')}",
            )
            if each
        )
        named = {metric.name: metric for metric in tally.metrics}
        bins = named.get("calibration_error")
        return Report(
            task=self.job.name,
            model=judged.subject,
            data=Data(
                name=source.name,
                examples=source.look.count,
                sha256=source.sha256,
                language=source.look.language,
            ),
            scores=tally.scores(seed=seed, setting=setting),
            examples=tally.examples,
            unanswered=tally.unanswered,
            truncated=tally.truncated,
            dropped_tokens=tally.dropped_tokens,
            groups=tally.by_group(seed=seed),
            lengths=tally.by_length(seed=seed),
            classes=tally.classes,
            confusion=confusion(tally),
            calibration=curve(tally.table(bins).total()) if bins is not None else (),
            worst=tally.worst(),
            notes=(judged.note,) if judged.note else (),
            settings=_plain(self.settings),
            seconds=judged.answers.seconds,
            asked=judged.answers.asked,
            version=version("loquent"),
        )


def _plain(settings: Settings) -> Mapping[str, Any]:
    return dict(changed(settings))


def _subject(lm: LM | None, name: str, settings: Settings) -> Subject:
    if lm is None:
        return Subject(name=f"{_NO_MODEL} ({settings.how})")
    how = lm.executor
    return Subject(
        name=name,
        weights=lm.checkpoint.fingerprint[:16],
        executor=f"{how.runtime} {how.precision}",
    )
