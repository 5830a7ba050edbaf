"""What is said in a recording, in another language: by the recognizer itself or by a translator."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loquent.audio.activity import Detector
from loquent.audio.sound import Sound
from loquent.errors import RequestError
from loquent.lm.lm import LM
from loquent.tasks.asking import Progress
from loquent.tasks.speech_settings import Hearing
from loquent.tasks.transcribing import Progress as Seconds
from loquent.tasks.transcribing import Transcript, transcribe
from loquent.tasks.translating import SENTENCES, Translation, code_of, translate
from loquent.text.languages import NAMES

ENGLISH = "en"  # the only language that recognizers translate to
_HEARD_AS = {"nb": "no"}  # languages that recognizers call otherwise
_KNOWN_AS = {"no": "nb", "nn": "nb"}

Translator = Callable[[str], LM]  # of texts in a language, to the one that is wanted


@dataclass(frozen=True)
class Interpreted:
    """A recording in another language, and how that came about."""

    heard: Transcript  # in its own language; in English where the recognizer translated it
    translation: Translation | None  # None: the recognizer translated it
    source: str  # ISO 639-1
    target: str
    detected: bool  # whether the language was found by listening

    @property
    def text(self) -> str:
        """What is said, in the language that was wanted."""
        return self.heard.text if self.translation is None else self.translation.text

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON; `heard` is the transcript with its times."""
        how = {} if self.translation is None else self.translation.plain()
        return {
            "translation": self.text,
            "source": self.source,
            "target": self.target,
            "detected": self.detected,
            "sentences": how.get("sentences"),
            "cut": how.get("cut", 0),
            "doubt": how.get("doubt", ""),
            "heard": self.heard.plain(),
        }


def translates_itself(ear: LM, target: str) -> bool:
    """Whether a recognizer writes in `target` what is said in other languages."""
    advice = ear.checkpoint.generation.speech
    return target == ENGLISH and advice is not None and advice.multilingual


def heard_as(language: str) -> str:
    """The code by which recognizers know a language."""
    return _HEARD_AS.get(language, language)


class Interpreter:
    """Puts what is said in recordings into another language."""

    def __init__(
        self,
        ear: LM,
        target: str,
        source: str = "",
        *,
        translator: Translator | None = None,
        terms: Mapping[str, str] | None = None,
        prefix: str | None = None,
        beams: int = 0,
        most_sentences: int = SENTENCES,
    ) -> None:
        """From `source` (ISO 639-1; "": found by listening) to `target`.

        `translator` opens a model for the language that was heard; None: the recognizer `ear`
        itself translates, to English alone (Radford et al. 2022, §2.3). `beams` is the width of the
        search of who translates. Raises RequestError for what the recognizer cannot do.
        """
        self._ear, self._translator = ear, translator
        self._target, self._source = code_of(target), code_of(source) if source else ""
        self._terms, self._prefix, self._beams = terms, prefix, beams
        self._most_sentences = most_sentences
        if self._source == self._target:
            raise RequestError(f"the recording is in {NAMES[self._target]} already.")
        if translator is None:
            self._check_itself()

    def hear(
        self,
        sound: Sound | Iterable[Sound],
        *,
        detector: Detector | None = None,
        progress: Seconds | None = None,
    ) -> Transcript:
        """What is said in a sound of 16,000 samples a second; in English where nobody else does it.

        Raises RequestError where nobody speaks or the target's language is spoken already, and as
        `transcribe` does.
        """
        hearing = Hearing(language=heard_as(self._source))
        if self._translator is None:
            hearing = replace(hearing, translate=True, beams=max(self._beams, 1))
        heard = transcribe(self._ear, sound, hearing, detector=detector, progress=progress)
        if not heard.text:
            raise RequestError("nobody was heard to speak.", fix="Is it the right recording?")
        if self._spoken(heard) == self._target:
            fix = "`loquent transcribe` writes it down."
            raise RequestError(f"the recording is in {NAMES[self._target]} already.", fix=fix)
        return heard

    def translated(self, heard: Transcript, progress: Progress | None = None) -> Interpreted:
        """What was heard, in the other language; raises RequestError as `translate` does."""
        spoken = self._spoken(heard)
        if self._translator is None:
            return Interpreted(heard, None, spoken, self._target, not self._source)
        (made,) = translate(
            self._translator(code_of(spoken) if spoken else ""),
            [heard.text],
            target=self._target,
            source=spoken,
            terms=self._terms,
            prefix=self._prefix,
            beams=self._beams,
            most_sentences=self._most_sentences,
            progress=progress,
        )
        return Interpreted(heard, made, made.source, self._target, not self._source)

    def _spoken(self, heard: Transcript) -> str:
        return self._source or _KNOWN_AS.get(heard.language, heard.language)

    def _check_itself(self) -> None:
        name = self._ear.checkpoint.card.name
        if not translates_itself(self._ear, self._target):
            raise RequestError(
                f"{name} does not translate to {NAMES[self._target]}.",
                fix="Name a translator of texts, or a recognizer of many languages for English.",
            )
        if self._terms or self._prefix:
            raise RequestError(
                f"{name} translates what it hears without terms and a prefix.",
                fix="Name a translator of texts (--model), which takes them.",
            )
