"""What was said in a sound: its segments with their times, in its own language or in English."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from loquent.audio.activity import Detector
from loquent.audio.sound import Sound
from loquent.errors import DataError
from loquent.lm.lm import LM
from loquent.tasks.speech_alignment import STATE_SECONDS, aligned_words
from loquent.tasks.speech_decoding import Decoder
from loquent.tasks.speech_settings import Decoded, Hearing, silent
from loquent.tasks.speech_windows import Window, windows
from loquent.tasks.spelling import spelled
from loquent.text.segments import Segment, Word

Progress = Callable[[float], None]  # seconds of the sound that are done
Sounds = Iterable[Iterable[Sound]]  # each in blocks
_BLOCK_SECONDS = 30.0
# A shorter recording is a word or two, in which detectors of speech often find nothing. A network
# of letters (CTC) hears it all the same where anything of it is loud; of silence it might make one.
_WHOLE_SECONDS = 2.0


@dataclass(frozen=True)
class Heard:
    """What came of one window: its segments, and the language that was spoken."""

    window: Window
    segments: tuple[Segment, ...]
    language: str
    language_chance: float


@dataclass(frozen=True)
class Transcript:
    """What was said in a sound."""

    segments: tuple[Segment, ...]
    language: str  # ISO 639-1; "" where nothing was said
    language_chance: float
    seconds: float  # how long the sound is

    @property
    def text(self) -> str:
        """All of it in one line."""
        return "".join(each.text for each in self.segments).strip()

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "text": self.text,
            "language": self.language,
            "seconds": round(self.seconds, 3),
            "segments": [_plain(each) for each in self.segments],
        }


def transcribe(
    lm: LM,
    sound: Sound | Iterable[Sound],
    hearing: Hearing | None = None,
    *,
    detector: Detector | None = None,
    progress: Progress | None = None,
) -> Transcript:
    """Write down what was said in a sound of 16,000 samples a second, whole or in blocks.

    `detector` tells speech from everything else (None: all counts as speech); what it finds is cut
    into windows of up to 30 s. Raises RequestError for a model that does not hear, or not so, and
    whatever the blocks raise.
    """
    (made,) = transcribe_all(lm, [sound], hearing, detector=detector, progress=progress)
    if isinstance(made, DataError):
        raise made
    return made


def transcribe_all(
    lm: LM,
    sounds: Iterable[Sound | Iterable[Sound]],
    hearing: Hearing | None = None,
    *,
    detector: Detector | None = None,
    progress: Progress | None = None,
) -> Iterator[Transcript | DataError]:
    """The transcript of each sound, in order; windows of several sounds are heard together.

    Where a sound's blocks raise DataError that stands in its place. `progress` is told the seconds
    that are done of the sound that is just told.
    """
    told, parts = 0, list[Heard]()
    seen = _Seen()
    for number, made in _heard(lm, sounds, hearing or Hearing(), detector, seen):
        for before in range(told, number):
            yield seen.told(before, parts)
            told, parts = before + 1, []
        parts.append(made)
        if progress is not None:
            progress(made.window.end_seconds)
    for number in range(told, len(seen.seconds)):
        yield seen.told(number, parts)
        parts = []


def heard(
    lm: LM,
    sound: Sound | Iterable[Sound],
    hearing: Hearing | None = None,
    *,
    detector: Detector | None = None,
    skip: int = 0,
) -> Iterator[Heard]:
    """What came of each window of a sound, as it is done; memory is flat, however long it is.

    The first `skip` windows are cut, but not heard. Raises as `transcribe` does.
    """
    seen = _Seen()
    for _, made in _heard(lm, [sound], hearing or Hearing(), detector, seen, skip=skip):
        yield made
    if 0 in seen.faults:
        raise seen.faults[0]


class _Seen:
    """How long each sound is that was read so far, and what was wrong with some."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.faults: dict[int, DataError] = {}

    def told(self, number: int, parts: list[Heard]) -> Transcript | DataError:
        if number in self.faults:
            return self.faults[number]
        segments = tuple(segment for part in parts for segment in part.segments)
        said = [part for part in parts if part.segments]
        best = max(said, key=lambda each: each.language_chance, default=None)
        return Transcript(
            segments,
            best.language if best is not None else "",
            best.language_chance if best is not None else 0.0,
            self.seconds[number],
        )


def _heard(
    lm: LM,
    sounds: Iterable[Sound | Iterable[Sound]],
    hearing: Hearing,
    detector: Detector | None,
    seen: _Seen,
    *,
    skip: int = 0,
) -> Iterator[tuple[int, Heard]]:
    """What came of each window, with the number of its sound."""

    def counted(blocks: Iterable[Sound], number: int) -> Iterator[Sound]:
        for block in blocks:
            seen.seconds[number] += block.seconds
            yield block

    spells = lm.network.config.output == "ctc"
    whole = _WHOLE_SECONDS if spells else 0.0

    def all_windows() -> Iterator[Window]:
        for number, sound in enumerate(sounds):
            seen.seconds.append(0.0)
            blocks = _blocks(sound) if isinstance(sound, Sound) else sound
            try:
                cut = windows(counted(blocks, number), detector, whole_seconds=whole)
                for window in islice(cut, skip, None):
                    yield replace(window, sound=number)
            except DataError as fault:
                seen.faults[number] = fault

    if spells:
        for window, segments in spelled(lm, all_windows(), hearing):
            yield window.sound, Heard(window, segments, hearing.language, 0.0)
        return
    decoder = Decoder(lm, hearing)
    for made in decoder.decode(all_windows()):
        yield made.window.sound, heard_of(lm, decoder, hearing, made)


def heard_of(lm: LM, decoder: Decoder, hearing: Hearing, made: Decoded) -> Heard:
    """The segments of one window."""
    language = made.language or "en"
    if silent(made, hearing):
        return Heard(made.window, (), language, made.language_chance)
    words = _words(lm, decoder, made, language) if hearing.words else []
    start, segments, at = made.window.start_seconds, list[Segment](), 0
    for begin, end, ids in _parts(made, decoder.tokens.first_time, hearing.times):
        text = lm.tokenizer.decode(ids)
        own = [_moved(word, start) for word, first in words if at <= first < at + len(ids)]
        at += len(ids)
        if text.strip():
            segments.append(Segment(start + begin, start + end, text, tuple(own)))
    return Heard(made.window, tuple(segments), language, made.language_chance)


def _moved(word: Word, seconds: float) -> Word:
    return replace(
        word,
        start_seconds=word.start_seconds + seconds,
        end_seconds=word.end_seconds + seconds,
    )


def _parts(made: Decoded, first_time: int, times: bool) -> Iterator[tuple[float, float, list[int]]]:
    """Parts of a text between its times: from and to, in seconds of the window, and their ids."""
    seconds = made.window.seconds
    if not times:
        yield 0.0, seconds, made.ids
        return
    begin, ids = 0.0, list[int]()
    for each in made.ids:
        if each < first_time:
            ids.append(each)
            continue
        at = min((each - first_time) * STATE_SECONDS, seconds)
        if ids:
            yield begin, max(at, begin), ids
        begin, ids = at, []
    if ids and (made.whole or not begin):  # the time of its end was never written
        yield begin, seconds, ids


def _words(lm: LM, decoder: Decoder, made: Decoded, language: str) -> list[tuple[Word, int]]:
    """Words with times in seconds of the window, and the places of their first tokens."""
    if made.attention is None:
        return []
    both = [
        (id, logprob)
        for id, logprob in zip(made.ids, made.logprobs, strict=True)
        if id < decoder.tokens.end
    ]
    return aligned_words(
        lm.tokenizer,
        [id for id, _ in both],
        [logprob for _, logprob in both],
        made.attention,
        before=made.before,
        seconds=made.window.seconds,
        language=language,
    )


def _plain(segment: Segment) -> dict[str, Any]:
    made: dict[str, Any] = {
        "start": round(segment.start_seconds, 3),
        "end": round(segment.end_seconds, 3),
        "text": segment.text.strip(),
    }
    if segment.words:
        made["words"] = [_plain_word(each) for each in segment.words]
    return made


def _plain_word(word: Word) -> dict[str, Any]:
    made: dict[str, Any] = {
        "start": round(word.start_seconds, 3),
        "end": round(word.end_seconds, 3),
        "text": word.text.strip(),
    }
    return made | ({} if word.chance is None else {"chance": round(word.chance, 4)})


def _blocks(sound: Sound) -> Iterator[Sound]:
    size = round(_BLOCK_SECONDS * sound.rate)
    for at in range(0, len(sound.samples), size):
        yield Sound(sound.samples[at : at + size], sound.rate)
