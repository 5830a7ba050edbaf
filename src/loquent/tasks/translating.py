"""Translations of texts, by any model that writes: how it is asked, sentence by sentence."""

from collections.abc import Mapping, Sequence

from loquent.errors import RequestError, UsageError, nearest
from loquent.lm.lm import LM
from loquent.lm.options import Options
from loquent.tasks.asking import Manner, Progress, manner, reader, replies, written
from loquent.tasks.directions import direction
from loquent.tasks.fitting import count
from loquent.tasks.sentencewise import Job, Translation, carry_out
from loquent.text.languages import NAMES

__all__ = ["Translation", "code_of", "translate"]

SENTENCES = 1000  # of one text at most
_AT_ONCE = 64  # sentences that are asked for together
_LONGEST_ANSWER = 512  # tokens

INSTRUCTION = (
    "Translate from {source} to {target}. Write the translation and nothing else.\n\n{text}"
)
CONTINUED = "{source}: {text}\n{target}:"


def translate(
    lm: LM,
    texts: Sequence[str],
    *,
    target: str,
    source: str = "",
    markdown: bool = False,
    terms: Mapping[str, str] | None = None,
    prefix: str | None = None,
    beams: int = 0,
    most_sentences: int = SENTENCES,
    progress: Progress | None = None,
) -> list[Translation]:
    """The translation of each text into the language `target`, by its ISO 639-1 code.

    Without `source` the language is found by looking at each text. With `markdown` code, links and
    the like stay as they are. `terms` are words with what they must become. `prefix` stands before
    a sentence for a model with an encoder; None: what its makers say. `beams` of 0 means what they
    advise, else 4. Raises RequestError for an empty text, a language that cannot be told, and
    languages that the model does not know, and a text of over `most_sentences`. `progress` is told
    of sentences.
    """
    config = lm.network.config
    if config.output != "token" or config.decoder is None:
        raise RequestError("this model does not write translations.", fix="Choose one that does.")
    target = code_of(target)
    how = manner(lm)
    jobs = [
        Job(
            lm,
            text,
            code_of(source) if source else "",
            target,
            how,
            markdown=markdown,
            terms=terms or {},
        )
        for text in texts
    ]
    for job in jobs:
        if len(job.units) > most_sentences:
            raise RequestError(
                f"the text has {len(job.units)} sentences; {most_sentences} are translated at "
                "most.",
                fix="Allow more sentences, or divide it.",
            )
    asked = Asked(lm, how, prefix, beams, progress)
    carry_out(asked, jobs)
    return [job.finished() for job in jobs]


class Asked:
    """A model with all that is the same for every sentence."""

    def __init__(
        self, lm: LM, how: Manner, prefix: str | None, beams: int, progress: Progress | None
    ) -> None:
        self._lm, self._how, self._prefix, self._beams = lm, how, prefix, beams
        self._progress = progress

    def __call__(self, asked: Sequence[tuple[Job, str]]) -> list[tuple[str, bool]]:
        """The translation of each text, and whether it was stopped at the longest length."""
        made: list[tuple[str, bool]] = []
        for start in range(0, len(asked), _AT_ONCE):
            made += self._some(asked[start : start + _AT_ONCE])
            if self._progress is not None:
                self._progress(len(made), len(asked))
        return made

    def _some(self, asked: Sequence[tuple[Job, str]]) -> list[tuple[str, bool]]:
        longest = max(count(reader(self._lm), [text for _, text in asked]))
        most = min(2 * longest + 32, _LONGEST_ANSWER)
        options = written(self._how.form, self._lm, max_tokens=most, beams=self._beams)
        if self._how.form == "chat":
            answers = replies(
                self._lm, [self._worded(INSTRUCTION, *each) for each in asked], options
            )
        elif self._how.form == "continue":
            prompts = [self._worded(CONTINUED, *each) for each in asked]
            answers = self._lm.generate(prompts, stop=["\n"], **options)
        else:
            return self._by_direction(asked, options)
        return [(each.text.strip(), each.finish == "length") for each in answers]

    def _by_direction(
        self, asked: Sequence[tuple[Job, str]], options: Options
    ) -> list[tuple[str, bool]]:
        """Texts of each pair of languages together, since their answers may begin differently."""
        made: dict[int, tuple[str, bool]] = {}
        for pair in dict.fromkeys((job.source, job.target) for job, _ in asked):
            told = direction(self._lm, self._how, *pair)
            prefix = told.prefix if self._prefix is None else self._prefix
            chosen: Options = {**options, "forced_first": told.first}
            places = [
                place for place, (job, _) in enumerate(asked) if (job.source, job.target) == pair
            ]
            answers = self._lm.generate([prefix + asked[each][1] for each in places], **chosen)
            for place, each in zip(places, answers, strict=True):
                made[place] = each.text.strip(), each.finish == "length"
        return [made[place] for place in range(len(asked))]

    @staticmethod
    def _worded(template: str, job: Job, text: str) -> str:
        names = {"source": NAMES.get(job.source, job.source), "target": NAMES.get(job.target)}
        return template.format(**names, text=text)


def code_of(language: str) -> str:
    """An ISO 639-1 code of a code or an English name; raises UsageError with the nearest."""
    given = language.strip().lower().replace("_", "-").partition("-")[0]
    by_name = {name.lower(): code for code, name in NAMES.items()}
    code = by_name.get(given, given)
    if code not in NAMES:
        raise UsageError(
            f"there is no language {language!r} here.", fix=nearest(given, [*NAMES, *by_name])
        )
    return code
