"""A recognizer that writes is tuned: what it learns of a record, and what comes out of a run."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from loquent import open as open_lm
from loquent.audio.mel import log_mel
from loquent.audio.rates import resampled
from loquent.audio.sound import Sound
from loquent.audio.writing import write_sound
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.data.hearing import Hearing as Heard
from loquent.data.reading import Record
from loquent.errors import ConfigError, DataError, RequestError
from loquent.runs import execute
from loquent.runs.hearing import task_of
from loquent.runs.plan import planned
from loquent.tasks import Reading
from loquent.tasks.dictation import dictated, signs_of
from loquent.tasks.fusion import Fusion
from loquent.tasks.speech_decoding import Hearing
from loquent.tasks.transcribing import transcribe

SIGNS = ("endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm",
         "startofprev", "nospeech", "notimestamps")  # fmt: skip
STATES = 100  # 2 s
RATE = 8000
SPELLED = {"a": 300, "b": 800, "c": 2000}


def tone(hertz: float, seconds: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    made = 0.2 * np.sin(
        2 * np.pi * hertz * random.uniform(0.95, 1.05) * np.arange(int(seconds * RATE)) / RATE
    )
    return (made + 0.005 * random.standard_normal(len(made))).astype(np.float32)


def recognizer(folder: Path, *, multilingual: bool) -> Path:
    """A Whisper that has learned nothing, whose pieces are single bytes."""
    letters = {piece: id for id, piece in enumerate(sorted(ByteLevel.alphabet()))}
    made = tokenizers.Tokenizer(BPE(vocab=letters, merges=[]))
    made.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = ByteLevelDecoder()
    signs = [f"<|{each}|>" for each in SIGNS if multilingual or each not in ("en", "de")]
    times = [f"<|{0.02 * at:.2f}|>" for at in range(STATES + 1)]
    made.add_special_tokens(signs)
    made.add_tokens([tokenizers.AddedToken(each, special=False) for each in times])
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    start, end = (made.token_to_id(f"<|{each}|>") for each in ("startoftranscript", "endoftext"))
    config = transformers.WhisperConfig(
        vocab_size=made.get_vocab_size(), num_mel_bins=80, d_model=32, encoder_layers=1,
        decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=48,
        decoder_ffn_dim=48, max_source_positions=STATES, max_target_positions=40, dropout=0.0,
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start,
        suppress_tokens=[], begin_suppress_tokens=[end],
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config.is_multilingual = multilingual
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that knows English only."""
    return recognizer(tmp_path_factory.mktemp("whispers") / "english", multilingual=False)


@pytest.fixture(scope="session")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is told the language."""
    return recognizer(tmp_path_factory.mktemp("whispers") / "several", multilingual=True)


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones that are called by letters."""
    folder = tmp_path_factory.mktemp("letters")
    rows = []
    for number in range(48):
        text = list(SPELLED)[number % 3]
        write_sound(folder / f"{number}.wav", Sound(tone(SPELLED[text], 0.3, number), RATE))
        rows.append({"audio": f"{number}.wav", "text": text})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def reading(folder: Path, language: str = "", *, frames: int = 2 * STATES, room: int = 40):
    origin = Checkpoint.open(folder)
    return Reading(
        tokenizer=origin.tokenizer, front=origin.config.encoder.front, frames=frames, room=room,
        speech=signs_of(origin, language), language=language,
    )  # fmt: skip


def learned(read: Reading, sounds: Path, text: str = "ab") -> list[tuple[list[str], list[str]]]:
    """The pieces of the examples of two records, and those of them that are learned."""
    audio = str(sounds / "0.wav")
    records = [Record({"audio": audio, "text": text}, f"row {n}", n) for n in range(2)]
    return [
        (
            [read.tokenizer.piece(id) for id in each.ids.tolist()],
            [read.tokenizer.piece(id) for id in each.ids[each.learned].tolist()],
        )
        for each in dictated(read.language).examples(records, read)
    ]


def test_text_and_end_are_learned_with_times_and_without(english: Path, letters: Path) -> None:
    plain, timed = learned(reading(english), letters)
    words = ["Ġ", "a", "b"]
    assert plain[0] == ["<|startoftranscript|>", "<|notimestamps|>", *words, "<|endoftext|>"]
    assert plain[1] == [*words, "<|endoftext|>"]
    assert timed[0] == ["<|startoftranscript|>", *timed[1]]
    assert timed[1] == ["<|0.00|>", *words, "<|0.30|>", "<|endoftext|>"]
    plain, timed = learned(replace(reading(english), moved=True), letters)
    assert plain[1] == timed[1] == [*words, "<|endoftext|>"]


def test_a_recognizer_of_many_languages_is_told_which(multilingual: Path, letters: Path) -> None:
    plain, timed = learned(reading(multilingual, "German"), letters)
    begins = ["<|startoftranscript|>", "<|de|>", "<|transcribe|>"]
    assert plain[0][:4] == [*begins, "<|notimestamps|>"]
    assert timed[0][:4] == [*begins, "<|0.00|>"]
    assert plain[1][0] == "Ġ"
    with pytest.raises(ConfigError, match="which one is spoken"):
        reading(multilingual)
    with pytest.raises(ConfigError, match="knows no language 'klingon'"):
        reading(multilingual, "klingon")


def test_what_does_not_fit_is_refused_by_its_place(english: Path, letters: Path) -> None:
    with pytest.raises(ConfigError, match="English only"):
        reading(english, "de")
    with pytest.raises(DataError, match=r"row 0: the sound lasts 0\.3 s, but the network hears 0"):
        learned(reading(english, frames=20), letters)
    with pytest.raises(DataError, match="too many for the 4"):
        learned(reading(english, room=4), letters)
    learned(reading(english, room=6), letters)


def test_sounds_are_heard_with_silence_behind_them(english: Path) -> None:
    front = Checkpoint.open(english).config.encoder.front
    sound = np.full(8000, 3000, np.int16)
    bare, wide = (
        Heard(front=front, least_seconds=least, most_seconds=1.5).features(sound, (0,))
        for least in (0.0, 1.0)
    )
    assert (bare.shape[1], wide.shape[1]) == (50, 100)
    silent = np.pad(sound.astype(np.float32) / 32767, (0, 8000))
    assert np.array_equal(wide, log_mel(silent))
    long = np.full(40_000, 3000, np.int16)
    cut = Heard(front=front, most_seconds=1.5).features(long, (0,))
    assert cut.shape[1] == 150


def tuned(plan: Callable[..., object], model: Path, letters: Path, steps: int, **start: object):
    return plan(
        task="transcribe",
        data={"train": str(letters / "rows.jsonl"), "length": 0, "batch": 16,
              "validation_share": 0.2},
        start={"model": str(model), **start},
        training={"steps": steps, "rate": 1e-2, "warmup": 0.05, "schedule": "constant"},
        evaluate={"every": 0, "examples": 0},
    )  # fmt: skip


def test_a_tuned_recognizer_writes_what_it_was_taught(plan, english: Path, letters: Path) -> None:
    made = tuned(plan, english, letters, 120)
    result = execute.run(made)
    assert result.validation["wer"].value < 0.2
    folder = Path(made.out) / "model"
    for options in ({"bits": 32}, {"runtime": "torch"}):
        lm = open_lm(folder, **options)
        told = transcribe(
            lm, resampled(Sound(tone(SPELLED["b"], 0.3, 99), RATE), 2 * RATE), Hearing(times=False)
        )
        assert told.text == "b"
    theirs = transformers.WhisperForConditionalGeneration.from_pretrained(folder)
    ours = Checkpoint.open(folder)
    assert theirs.config.decoder_start_token_id == signs_of(ours, "").start
    assert np.array_equal(
        theirs.model.encoder.conv1.weight.detach().numpy(), ours.weights["encoder.front.0.weight"]
    )


def test_low_rank_updates_are_learned_and_merged(plan, english: Path, letters: Path) -> None:
    made = tuned(plan, english, letters, 20, lora=2)
    before = Checkpoint.open(english).weights
    execute.run(made)
    after = Checkpoint.open(Path(made.out) / "model").weights
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert all(".layers." in name and name.endswith(".weight") for name in changed)
    assert (Path(made.out) / "adapter" / "adapter_config.json").is_file()


def test_a_language_model_has_no_say_there(english: Path, tiny_gpt2: Path) -> None:
    hearing = Hearing(fusion=Fusion(lm=open_lm(tiny_gpt2, bits=32)))
    with pytest.raises(RequestError, match="a language model of its own"):
        transcribe(open_lm(english, bits=32), Sound(np.ones(8000, np.float32), 16_000), hearing)


def test_settings_of_recognizers_are_refused_elsewhere(english: Path, letters: Path) -> None:
    data = {"train": str(letters / "rows.jsonl")}
    plain = planned({"task": "transcribe", "data": data, "out": "x", "sound": {"window": 1.0}})
    with pytest.raises(ConfigError, match="for a recognizer that writes"):
        task_of(plain, None)
    with pytest.raises(ConfigError, match=r"start\.language is for a recognizer"):
        planned({"task": "transcribe", "data": data, "out": "x", "start": {"language": "en"}})
    command = planned(
        {"task": "command", "data": data, "out": "x", "start": {"model": str(english)}}
    )
    with pytest.raises(ConfigError, match="cannot be tuned to command"):
        task_of(command, Checkpoint.open(english))
