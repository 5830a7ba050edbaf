"""A voice that learned real recordings for a minute or two is understood."""

from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.audio.activity import ENERGY
from loquent.audio.aligning import Aligner
from loquent.audio.reading import read_sound
from loquent.commands import run as command_line
from loquent.metrics.alignment import edits
from loquent.metrics.normalizing import english
from loquent.voices.opening import english as dictionary

pytestmark = [pytest.mark.weights, pytest.mark.data]

CLIPS, STEPS = 40, 600


@pytest.fixture(scope="module")
def clips(data: Path, hibari: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in LJSpeech's layout with the first clips of LJ001."""
    del hibari  # its dictionary says how words are said
    folder = tmp_path_factory.mktemp("clips")
    (folder / "wavs").mkdir()
    source = data / "ljspeech_lj001"
    lines = (source / "metadata.csv").read_text(encoding="utf-8").splitlines()[:CLIPS]
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    for line in lines:
        name = f"{line.partition('|')[0]}.flac"
        (folder / "wavs" / name).symlink_to(source / name)
    return folder


def rows(clips: Path) -> list[tuple[Path, str]]:
    lines = (clips / "metadata.csv").read_text(encoding="utf-8").splitlines()
    return [
        (clips / "wavs" / f"{name}.flac", text)
        for name, _, text in (line.split("|") for line in lines)
    ]


@pytest.mark.slow
def test_pauses_are_found_where_it_is_quiet(clips: Path) -> None:
    words = dictionary()
    pairs = [
        (f" {words.pronounced(text).phonemes} ", read_sound(path).samples)
        for path, text in rows(clips)
    ]
    aligner = Aligner(pairs, 16_000)
    power: dict[bool, list[float]] = {True: [], False: []}
    for phonemes, samples in pairs:
        ends = aligner.ends(phonemes, samples)
        for sign, start, end in zip(phonemes, [0.0, *ends[:-1]], ends, strict=True):
            part = samples[round(16_000 * start) : round(16_000 * end)]
            if end - start > 0.1 and sign in ",.;AIOWæɑ":
                power[sign in ",.;"].append(float((part**2).mean()))
    assert len(power[True]) >= 10
    assert np.median(power[True]) < 0.02 * np.median(power[False])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_it_is_understood(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "voice"
    options = ["--set", "data.validation_share=0", "--steps", str(STEPS), "--seed", "0"]
    begun = ["train", "--task", "speak", "--data", str(clips), "--out", str(out)]
    assert command_line([*begun, *options]) == 0
    wrong = count = 0
    for number, (_, text) in enumerate(rows(clips)[:4]):
        file = tmp_path / f"{number}.wav"
        assert command_line(["speak", text, "-m", str(out), "-o", str(file)]) == 0
        told = loquent.transcribe(file, detector=ENERGY).text
        wrong += edits(english(text).split(), english(told).split())
        count += len(english(text).split())
    assert wrong / count < 0.5
    capsys.readouterr()
    assert command_line(["generate", "-m", str(out), "hello"]) == 1
    assert "it speaks" in capsys.readouterr().err
