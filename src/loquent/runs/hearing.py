"""What a run hears of sounds: by the front of a new network, or as a tuned recognizer was made."""

from collections.abc import Callable
from functools import cache

from loquent.architecture import FrontConfig, ModelConfig, SpeechConfig
from loquent.audio.aligning import Aligner
from loquent.audio.sound import Samples
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.data.hearing import Hearing
from loquent.data.split import Part
from loquent.errors import ConfigError
from loquent.runs.plan import Plan
from loquent.runs.presets import SPEECH_WIDTHS
from loquent.runs.sources import Note, Sources
from loquent.tasks import TASKS, Reading, Task
from loquent.tasks.dictation import dictated, signs_of
from loquent.tasks.hear import TRANSCRIBE
from loquent.tasks.speak import spoken_pairs
from loquent.tasks.speech_tokens import SpeechTokens

_ALIGNED_SECONDS = 3600.0  # of recordings are enough to tell phonemes apart


def task_of(plan: Plan, origin: Checkpoint | None) -> tuple[Task, SpeechTokens | None]:
    """The task as the model learns it that is tuned; and the signs of a recognizer that writes."""
    task = TASKS[plan.task]
    if origin is None or not task.hears or origin.config.decoder is None:
        if plan.sound.window or plan.start.language:
            raise ConfigError("sound.window and start.language are for a recognizer that writes.")
        return task, None
    if task is not TRANSCRIBE:
        raise ConfigError(f"a recognizer that writes cannot be tuned to {task.name}.")
    return dictated(plan.start.language), signs_of(origin, plan.start.language)


def front_of(plan: Plan, task: Task, origin: Checkpoint | None) -> FrontConfig | None:
    """What hears the sounds: that of the model that is tuned, or a new one."""
    if not task.hears:
        return None
    if task.speaks:
        voice = voice_of(plan, task, origin)
        assert voice is not None
        return FrontConfig(features=1, spectrum="samples", rate=voice.rate)
    if origin is None:
        return plan.sound.front
    encoder = origin.config.encoder
    if encoder is None or encoder.front is None:
        raise ConfigError("is no network that hears.", where=plan.start.model)
    return encoder.front


def voice_of(plan: Plan, task: Task, origin: Checkpoint | None) -> SpeechConfig | None:
    """What makes sound: that of the voice that is tuned, or a new one; None: the task has none."""
    if not task.speaks:
        return None
    if origin is None:
        return SpeechConfig(rate=plan.sound.rate, width=SPEECH_WIDTHS[plan.network.size])
    if origin.config.speech is None:
        raise ConfigError("is no voice that was trained here.", where=plan.start.model)
    return origin.config.speech


def aligner_of(
    sources: Sources, voice: SpeechConfig | None, note: Note
) -> Callable[[], Aligner] | None:
    """What finds phonemes in recordings, learned from those of the training data when needed."""
    if voice is None:
        return None

    @cache
    def aligner() -> Aligner:
        kept, seconds = list[tuple[str, Samples]](), 0.0
        for phonemes, samples in spoken_pairs(sources.records("train"), voice):
            kept.append((phonemes, samples))
            seconds += len(samples) / voice.rate
            if seconds > _ALIGNED_SECONDS:
                break
        note(f"phonemes are found in {len(kept):,} recordings of {seconds / 60:.1f} minutes.")
        return Aligner(kept, voice.rate)

    return aligner


def hearing_of(plan: Plan, reading: Reading, part: Part) -> Hearing | None:
    """How the sounds of a part are heard; None: there are none. Raises ConfigError."""
    if reading.front is None:
        return None
    varied = plan.sound.variation if part == "train" else None
    if plan.sound.tempo and reading.front.spectrum not in ("banks", "loud_banks"):
        raise ConfigError("sound.tempo is for networks that hear filter banks.")
    if reading.speech is None:
        return Hearing(front=reading.front, variation=varied)
    most = reading.frames * reading.front.frame_seconds
    if plan.sound.window > most:
        raise ConfigError(f"sound.window is {plan.sound.window} s, but the model hears {most} s.")
    return Hearing(
        front=reading.front,
        variation=varied,
        least_seconds=plan.sound.window or most,
        most_seconds=most,
    )


def frames_of(config: ModelConfig) -> int:
    """Frames of a sound that the network hears at most; 0: any number, or it hears none."""
    encoder = config.encoder
    return encoder.length * encoder.front.stride if encoder and encoder.front else 0
