"""The signs among a recognizer's tokens: what begins a transcript, languages, times, silence."""

from collections.abc import Mapping
from dataclasses import dataclass

from loquent.checkpoints.contents import Contents
from loquent.checkpoints.generation import Speech
from loquent.errors import CheckpointError, RequestError, UsageError, nearest
from loquent.text.languages import NAMES

_SILENCE = ("<|nospeech|>", "<|nocaptions|>")  # the second is what older files call it
STEP_SECONDS = 0.02  # from one time to the next
_LONGEST_CODE = 3


@dataclass(frozen=True, kw_only=True)
class SpeechTokens:
    """Ids by their duty; words have ids below `end`."""

    start: int
    end: int
    before: int  # stands before what was said or written earlier
    silence: int  # its chance as the first token tells that nobody speaks
    plain: int  # no times follow
    transcribe: int
    translate: int
    languages: Mapping[str, int]  # by code; none where the network knows one language only
    advice: Speech

    @property
    def first_time(self) -> int:
        """The id of time 0."""
        return self.plain + 1

    def begins(self, language: str) -> list[int]:
        """What stands before a transcript and its times; raises UsageError as `language` does."""
        if not self.languages:
            return [self.start]
        return [self.start, self.language(language), self.transcribe]

    def language(self, name: str) -> int:
        """The id of a language by its code or English name; raises UsageError for others."""
        code = {full.lower(): code for code, full in NAMES.items()}.get(name.lower(), name.lower())
        if code not in self.languages:
            known = {
                **self.languages,
                **{NAMES[c].lower(): 0 for c in self.languages if c in NAMES},
            }
            raise UsageError(
                f"the model knows no language {name!r}.", fix=nearest(name.lower(), known)
            )
        return self.languages[code]


def speech_tokens(checkpoint: Contents) -> SpeechTokens:
    """The signs of a model that hears; raises RequestError for others."""
    config, advice = checkpoint.config, checkpoint.generation.speech
    if not config.reads_sound or config.decoder is None or advice is None:
        raise RequestError(
            "this model does not write down what was said.",
            fix="Choose one that does, such as whisper-tiny.en (loquent models).",
        )
    tokenizer = checkpoint.tokenizer
    if tokenizer is None:
        raise CheckpointError("has no tokenizer.", where=checkpoint.card.name)

    def id(*names: str) -> int:
        found = next((each for name in names if (each := tokenizer.id(name)) is not None), None)
        if found is None:
            what = f"its tokenizer has no {names[0]}."
            raise CheckpointError(what, where=checkpoint.card.name)
        return found

    start, transcribe = id("<|startoftranscript|>"), id("<|transcribe|>")
    languages: dict[str, int] = {}
    if advice.multilingual:
        for each in range(start + 1, config.vocabulary):
            code = tokenizer.piece(each).removeprefix("<|").removesuffix("|>")
            if not 1 < len(code) <= _LONGEST_CODE or not code.isalpha():
                break  # languages stand one behind the other
            languages[code] = each
    return SpeechTokens(
        start=start,
        end=id("<|endoftext|>"),
        before=id("<|startofprev|>"),
        silence=id(*_SILENCE),
        plain=id("<|notimestamps|>"),
        transcribe=transcribe,
        translate=id("<|translate|>"),
        languages=languages,
        advice=advice,
    )
