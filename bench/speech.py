"""How well speech is written down, on real weights and recordings.

    python bench/speech.py NAME … [--data ../shared/data] [--model whisper-tiny.en …] [--bits 8 32]

NAME is one of QUESTIONS. Figures go to bench/results/speech.json, by question, model and bits, and
into the page speech.md. The recordings are those of LJSpeech (the first chapter) and one of 1961;
words are compared by Whisper's own normalizer. Nothing here is a measurement of speed.
"""

import argparse
import csv
import io
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

import folders
from loquent.audio.mel import log_mel
from loquent.audio.reading import RATE, read_sound
from loquent.audio.sound import Sound
from loquent.checkpoints import hub
from loquent.checkpoints.detectors import SILERO, open_silero
from loquent.lm import LM
from loquent.lm import open as open_lm
from loquent.metrics.alignment import edits
from loquent.metrics.normalizing import english
from loquent.tasks.speech_live import Live
from loquent.tasks.speech_settings import Hearing
from loquent.tasks.speech_tokens import speech_tokens
from loquent.tasks.transcribing import Transcript, heard, transcribe, transcribe_all

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "speech.json"
PAGE = HERE / "results" / "speech.md"
JFK = (
    "And so my fellow Americans ask not what your country can do for you "
    "ask what you can do for your country."
)


@cache
def detector() -> Any:
    """Silero's network."""
    return open_silero(hub.resolve(SILERO))


def clips(data: Path) -> list[tuple[Path, str]]:
    """The recordings of LJ001 and what is said in them."""
    folder = data / "ljspeech_lj001"
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE)
        return [(folder / f"{name}.flac", text) for name, _, text in rows]


def told(lm: LM, sounds: Any) -> list[str]:
    """The text of each sound."""
    made = transcribe_all(lm, sounds, detector=detector())
    return [each.text if isinstance(each, Transcript) else "" for each in made]


def wrong(text: str, meant: str) -> tuple[int, int]:
    """Edits by words, and how many words were meant.

    The normalizer drops what stands in parentheses, but it was read aloud: they are taken off.
    """
    a, b = english(text).split(), english(meant.replace("(", " ").replace(")", " ")).split()
    return edits(b, a), len(b)


def error_rate(texts: list[str], meant: list[str]) -> dict[str, float]:
    """Of all texts together."""
    pairs = [wrong(a, b) for a, b in zip(texts, meant, strict=True)]
    total, words = (sum(each) for each in zip(*pairs, strict=True))
    return {"edits": total, "words": words, "wer": round(total / words, 5)}


def jfk(lm: LM, data: Path) -> dict[str, Any]:
    """Is the one recording of another speaker exact?"""
    made = transcribe(lm, read_sound(data / "jfk" / "jfk.flac"), detector=detector())
    return {**error_rate([made.text], [JFK]), "text": made.text, "language": made.language}


def lj001(lm: LM, data: Path) -> dict[str, Any]:
    """The word error rate on 186 clips of one reader, and on the first 40 of them."""
    pairs = clips(data)
    texts = told(lm, (read_sound(path) for path, _ in pairs))
    meant = [text for _, text in pairs]
    first = error_rate(texts[:40], meant[:40])["wer"]
    return error_rate(texts, meant) | {"clips": len(pairs), "first_40_wer": first}


def passage(lm: LM, data: Path) -> dict[str, Any]:
    """The same clips one behind the other, as they were read: with what stands around them."""
    pairs = clips(data)
    gap = Sound(np.zeros(round(0.3 * RATE), np.float32), RATE)
    blocks = chain.from_iterable((read_sound(path), gap) for path, _ in pairs)
    made = transcribe(lm, blocks, detector=detector())
    meant = " ".join(text for _, text in pairs)
    return error_rate([made.text], [meant]) | {"seconds": round(made.seconds)}


def silence(lm: LM, data: Path) -> dict[str, Any]:
    """Of 100 sounds in which nobody speaks, how many have any text."""
    del data
    made = {}
    for kind, maker in QUIET.items():
        sounds = [maker(np.random.default_rng(seed)) for seed in range(100 // len(QUIET))]
        texts = told(lm, [Sound(each.astype(np.float32), RATE) for each in sounds])
        made[kind] = [text for text in texts if text]
    written = [text for texts in made.values() for text in texts]
    return {
        "sounds": 100,
        "with_text": len(written),
        "most_words": max((len(text.split()) for text in written), default=0),
        "texts": made,
    }


Samples = NDArray[np.float64]


def _hush(rng: np.random.Generator) -> Samples:
    return np.full(RATE * 10, 0.0) + rng.integers(0, 2) * 1e-4 * rng.standard_normal(RATE * 10)


def _noise(rng: np.random.Generator) -> Samples:
    """White, pink or brown, of any loudness, sometimes with clicks."""
    size = RATE * 12
    spectrum = np.fft.rfft(rng.standard_normal(size))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (0.5 * rng.integers(0, 3))
    made = np.fft.irfft(spectrum, size)
    made *= 10 ** rng.uniform(-3, -0.7) / np.abs(made).std()
    made[rng.integers(0, size, 12)] += rng.integers(0, 2) * 0.3
    return np.clip(made, -1, 1)


def _music(rng: np.random.Generator) -> Samples:
    """Notes of a few harmonics that begin and die away, several at a time."""
    made, time_axis = np.zeros(RATE * 15), np.arange(RATE * 2) / RATE
    for at in np.arange(0, 13, rng.uniform(0.15, 0.6)):
        for _ in range(rng.integers(1, 4)):
            pitch = 110 * 2 ** (rng.integers(0, 36) / 12)
            note = sum(np.sin(2 * np.pi * pitch * n * time_axis) / n**1.5 for n in range(1, 7))
            start = round(at * RATE)
            made[start : start + len(note)] += note * np.exp(-rng.uniform(1, 6) * time_axis) * 0.1
    return made / max(1, np.abs(made).max())


def _breath(rng: np.random.Generator) -> Samples:
    """Noise of the throat that swells and fades every few seconds."""
    size = RATE * 12
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    center = rng.uniform(500, 1500)
    spectrum *= np.exp(-(((hertz - center) / rng.uniform(300, 900)) ** 2))
    swell = np.sin(np.pi * np.arange(size) / RATE / rng.uniform(1.2, 2.5)) ** 2
    made = np.fft.irfft(spectrum, size) * swell
    return made * 10 ** rng.uniform(-2.5, -1) / np.abs(made).std()


def _hum(rng: np.random.Generator) -> Samples:
    """An engine: a low tone with harmonics that rises and falls, under noise."""
    axis = np.arange(RATE * 12) / RATE
    pitch = rng.uniform(45, 140) * (1 + 0.1 * np.sin(2 * np.pi * axis / rng.uniform(2, 8)))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    made = sum(np.sin(n * phase) / n for n in range(1, 12))
    return 0.05 * np.asarray(made) + 0.01 * rng.standard_normal(len(axis))


QUIET: dict[str, Callable[[np.random.Generator], Samples]] = {
    "silence": _hush,
    "noise": _noise,
    "music": _music,
    "breathing": _breath,
    "engine": _hum,
}


def rates(lm: LM, data: Path) -> dict[str, Any]:
    """The word error rate on 12 clips as files of other sampling rates and forms."""
    pairs = clips(data)[:12]
    meant = [text for _, text in pairs]
    made = {}
    forms = [(rate, "PCM_16", 1) for rate in (8_000, 16_000, 22_050, 44_100, 48_000)]
    for rate, kind, channels in [*forms, (44_100, "PCM_24", 2), (48_000, "FLOAT", 1)]:
        sounds = (read_sound(_file(read_sound(path, rate), kind, channels)) for path, _ in pairs)
        made[f"{rate} {kind} {channels}"] = error_rate(told(lm, sounds), meant)["wer"]
    return made


def _file(sound: Sound, kind: str, channels: int) -> bytes:
    file = io.BytesIO()
    samples = np.repeat(sound.samples[:, None], channels, axis=1)
    soundfile.write(file, samples, sound.rate, kind, format="WAV")
    return file.getvalue()


def hour(lm: LM, data: Path) -> dict[str, Any]:
    """An hour of speech in blocks: memory must not grow with it."""
    paths = chain.from_iterable(repeat([path for path, _ in clips(data)]))
    memory, seconds, started = list[int](), 0.0, time.perf_counter()

    def blocks() -> Iterator[Sound]:
        total = 0.0
        for path in paths:
            sound = read_sound(path)
            total += sound.seconds
            yield sound
            if total > 3600:
                return

    for part in heard(lm, blocks(), detector=detector()):
        seconds = part.window.end_seconds
        if seconds > 60 * len(memory):
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    taken = time.perf_counter() - started
    return {
        "seconds": round(seconds),
        "taken_seconds": round(taken),
        "peak_megabytes_after_5_minutes": memory[5],
        "peak_megabytes_at_the_end": memory[-1],
    }


def folder(lm: LM, data: Path) -> dict[str, Any]:
    """A folder of 1,000 files, 10 of them broken, by the command; killed twice on the way."""
    del lm
    return folders.folder(data)


def live(lm: LM, data: Path) -> dict[str, Any]:
    """From the end of a part of speech to its settled text, played in real time."""
    pairs = list(islice(clips(data), 12))
    gap = np.zeros(round(1.2 * RATE), np.float32)
    sounds = [read_sound(path).samples for path, _ in pairs]
    whole = np.concatenate([part for sound in sounds for part in (sound, gap)])
    made, texts, size, begun = list[float](), list[str](), RATE // 10, time.perf_counter()
    listening = Live(lm, detector=detector())
    for at in range(0, len(whole), size):
        wait = begun + at / RATE - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        for update in listening.push(whole[at : at + size]):
            if update.settled:
                texts.append(update.text)
                now = time.perf_counter() - begun
                made.append(now - update.segments[-1].end_seconds)
    texts += [update.text for update in listening.finish()]
    rate = error_rate([" ".join(texts)], [" ".join(text for _, text in pairs)])
    return {"median_seconds": round(float(np.median(made)), 2), "settled": len(made), **rate}


def times(lm: LM, data: Path) -> dict[str, Any]:
    """Times of segments and words beside those of transformers, which has the same weights."""
    paths = [data / "jfk" / "jfk.flac", *(path for path, _ in clips(data)[:6])]
    theirs = Reference(lm)
    parts, words = list[float](), list[float]()
    for path in paths:
        sound = read_sound(path)
        made = transcribe(lm, sound, Hearing(words=True))
        segments, starts = theirs.times(sound)
        if len(segments) == len(made.segments):
            for one, (start, end) in zip(made.segments, segments, strict=True):
                ends = abs(one.end_seconds - min(end, sound.seconds))
                parts.append(max(abs(one.start_seconds - start), ends))
        own = [word for segment in made.segments for word in segment.words]
        if len(own) == len(starts):
            words += [abs(a.start_seconds - b) for a, b in zip(own[1:], starts[1:], strict=True)]
    return {
        "segments": len(parts),
        "most_seconds_of_a_segment": round(max(parts), 3),
        "words": len(words),
        "median_seconds_of_a_word": round(float(np.median(words)), 3),
        "words_within_50_ms": round(float(np.mean(np.array(words) <= 0.05)), 3),
    }


class Reference:
    """The same network in the transformers library."""

    def __init__(self, lm: LM) -> None:
        import transformers  # noqa: PLC0415  takes long, and one question needs it

        with TemporaryDirectory() as folder:
            lm.checkpoint.save(Path(folder) / "model")
            kind = transformers.WhisperForConditionalGeneration
            self.model = kind.from_pretrained(Path(folder) / "model", attn_implementation="eager")
        signs = speech_tokens(lm.checkpoint)
        settings = self.model.generation_config
        said = {
            "no_timestamps_token_id": signs.plain,
            "max_initial_timestamp_index": 50,
            "decoder_start_token_id": signs.start,
            "eos_token_id": signs.end,
            "bos_token_id": signs.end,
            "pad_token_id": signs.end,
            "prev_sot_token_id": signs.before,
            "is_multilingual": False,
            "max_length": 448,
        }
        for name, value in said.items():
            setattr(settings, name, value)
        self.lm, self.end = lm, signs.end

    def times(self, sound: Sound) -> tuple[list[tuple[float, float]], list[float]]:
        """Segments, and the start of each word: its first token begins where the last one ends."""
        import torch  # noqa: PLC0415  comes with transformers

        samples = np.zeros(RATE * 30, np.float32)
        samples[: len(sound.samples)] = sound.samples
        made = self.model.generate(
            torch.from_numpy(log_mel(samples))[None],
            return_timestamps=True,
            return_token_timestamps=True,
            return_segments=True,
            do_sample=False,
            num_frames=len(sound.samples) // 160,
        )["segments"][0]
        starts, before = list[float](), 0.0
        for part in made:
            both = zip(part["tokens"].tolist(), part["token_timestamps"].tolist(), strict=True)
            for token, end in both:
                piece = self.lm.tokenizer.decode([token]) if token < self.end else ""
                if piece.startswith(" ") and piece[1:2].isalnum():
                    starts.append(before)
                if token < self.end:
                    before = end
        return [(float(each["start"]), float(each["end"])) for each in made], starts


QUESTIONS: dict[str, Callable[[LM, Path], dict[str, Any]]] = {
    "jfk": jfk,
    "lj001": lj001,
    "passage": passage,
    "silence": silence,
    "rates": rates,
    "hour": hour,
    "folder": folder,
    "live": live,
    "times": times,
}


def main() -> None:
    """Ask, note, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=QUESTIONS)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--model", nargs="+", default=["whisper-tiny.en"])
    parser.add_argument("--bits", nargs="+", type=int, default=[8])
    given = parser.parse_args()
    for model in given.model:
        for bits in given.bits:
            with open_lm(model, bits=bits, rows=32, draft=None) as lm:
                for name in given.names:
                    found = QUESTIONS[name](lm, given.data)
                    sys.stdout.write(f"{name} {model} {bits}: {found}\n")
                    sys.stdout.flush()
                    note(name, f"{model}, {bits} bits", found)
    PAGE.write_text(page(json.loads(RESULTS.read_text())), encoding="utf-8")


def note(name: str, case: str, found: dict[str, Any]) -> None:
    """Keep a figure; what was there of the same case is replaced."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept.setdefault(name, {})[case] = found
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def page(kept: dict[str, Any]) -> str:
    """The figures as they are, a list for each question."""
    lines = [
        "# Speech written down",
        "",
        "Made by `python bench/speech.py NAME …`: real weights, words compared by Whisper's "
        "normalizer. All was run beside other work (a load of 7 to 11 on 2 cores): the seconds of "
        "`live` say nothing of a quiet machine.",
    ]
    for name, cases in kept.items():
        doc = (QUESTIONS[name].__doc__ or "").split("\n", maxsplit=1)[0]
        lines += ["", f"## {name}", "", doc, ""]
        for case, found in cases.items():
            told = ", ".join(
                f"{key} {value}" for key, value in found.items() if not isinstance(value, dict)
            )
            lines.append(f"- {case}: {told}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
