"""`loquent translate --speech`: from a recording to another language, and to sound again."""

import json
from pathlib import Path

import pytest
import soundfile

import loquent
from loquent.audio.reading import read_sound
from loquent.checkpoints import hub
from loquent.commands import run as command
from loquent.errors import RequestError, UserError
from loquent.metrics.normalizing import english

TEXT = "The house is wonderful. The children play in the garden."


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    """Run `loquent translate`: the status, the output and what was told."""

    def made(*arguments: object) -> tuple[int, str, str]:
        status = command(["translate", *map(str, arguments)])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        return status, found.out, found.err

    return made


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sentences, spoken; skips where the voice or what hears it cannot be had."""
    try:
        for name in ("hibari", "silero-vad", "whisper-tiny.en", "flan-t5-small-title"):
            hub.resolve(name)
    except UserError as error:
        pytest.skip(f"a model cannot be had here: {error}")
    path = tmp_path_factory.mktemp("talks") / "talk.wav"
    loquent.speak(TEXT).save(path)
    return path


@pytest.fixture(scope="module")
def many() -> str:
    """A recognizer of many languages, where it is on this machine already."""
    if hub.locate("whisper-base") is None:
        pytest.skip("whisper-base is not on this machine")
    return "whisper-base"


def test_what_cannot_be_done_is_told_before_a_model_is_opened(told, tmp_path: Path) -> None:
    wav = tmp_path / "talk.wav"
    wav.write_bytes(b"")
    cases = [
        (("Hello.", "--to", "de", "--speak", "a.wav"), "--speak belongs to --speech"),
        (("Hello.", "--to", "de", "--voice", "joe"), "--voice belongs to --speech"),
        (("Hello.", "--to", "de", "--recognizer", "x"), "--recognizer belongs to --speech"),
        (("Hello.", "--to", "de", "--speech", wav), "not both"),
        (("--to", "de", "--speech", wav, "--voice", "joe"), "--voice belongs to --speak"),
        (("--to", "de", "--speech", wav, "--in", "a.jsonl"), "--in is for texts"),
        (("--to", "de", "--speech", wav, "--column", "a"), "--column is for texts"),
        (("--to", "de", "--speech", wav, "--markdown"), "--markdown is for texts"),
        (("--to", "de", "--from", "German", "--speech", wav), "the same language"),
        (("--to", "germn", "--speech", wav), "no language 'germn'"),
        (("--to", "de", "--speech", tmp_path), "is a folder"),
        (("--to", "en", "--speech", wav, "--speak", "a.txt"), "'txt' is no format"),
        (("--to", "en", "--speech", wav, "--speak", tmp_path / "no" / "a.wav"), "folder of"),
    ]
    for arguments, wanted in cases:
        status, out, err = told(*arguments)
        assert (status, out) == (2, ""), arguments
        assert wanted in err
    status, _, err = told("--to", "de", "--speech", tmp_path / "talc.wav")
    assert status == 1
    assert "talk.wav" in err


def test_a_missing_voice_is_named_with_what_to_do(told, tmp_path: Path) -> None:
    wav = tmp_path / "talk.wav"
    wav.write_bytes(b"")
    status, out, err = told("--speech", wav, "--to", "de", "--speak", tmp_path / "out.wav")
    assert (status, out) == (2, "")
    assert "there is no voice for German" in err
    assert "Piper" in err
    assert "--voice" in err


@pytest.mark.weights
def test_a_talk_is_heard_and_translated(told, talk: Path) -> None:
    asked = ("--speech", talk, "--from", "en", "--to", "de", "--offline")
    status, out, err = told(*asked, "--json")
    assert status == 0, err
    made = json.loads(out)
    assert "Haus" in made["translation"]
    assert english(made["heard"]["text"]) == english(TEXT)
    assert made["heard"]["segments"][0]["end"] > 2
    assert (made["source"], made["target"], made["detected"]) == ("en", "de", False)
    assert made["sentences"] == 2
    status, out, err = told(*asked, "-q", "--term", "garden=Park")
    assert status == 0, err
    assert err == ""
    assert "Park" in out
    found = loquent.translate_speech(str(talk), source="en", target="de")
    assert found.text == made["translation"]
    assert json.loads(json.dumps(found.plain()))["heard"] == made["heard"]
    assert loquent.translate_speech(read_sound(talk), source="en", target="de").text == found.text


@pytest.mark.weights
def test_a_voice_of_another_language_is_refused(told, talk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    status, _, err = told("--speech", talk, "--to", "de", "--speak", out, "--voice", "hibari")
    assert status == 2
    assert "the voice hibari speaks English, not German" in err
    assert not out.exists()


@pytest.mark.weights
def test_a_recognizer_of_english_alone_does_not_translate(told, talk: Path) -> None:
    with pytest.raises(RequestError, match="in English already"):
        loquent.translate_speech(talk, target="en", source="en")
    asked = ("--speech", talk, "--to", "en", "--recognizer", "whisper-tiny.en", "--offline")
    status, _, err = told(*asked)
    assert status == 1
    assert "in English already" in err


@pytest.mark.weights
def test_nobody_speaks(told, tmp_path: Path, talk: Path) -> None:
    del talk  # the models are here
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, [0.0] * 32_000, 16_000)
    status, out, err = told("--speech", quiet, "--from", "en", "--to", "de", "--offline")
    assert (status, out) == (1, "")
    assert "nobody was heard to speak" in err


@pytest.mark.weights
def test_the_recognizer_itself_translates_to_english(
    told, talk: Path, many: str, tmp_path: Path
) -> None:
    """It is told that German is spoken: so the way is that of translation."""
    spoken = tmp_path / "spoken.wav"
    asked = ("--speech", talk, "--to", "en", "--recognizer", many, "--offline")
    status, out, err = told(*asked, "--from", "de", "--speak", spoken, "--json")
    assert status == 0, err
    made = json.loads(out)
    assert "children" in made["translation"]
    assert made["translation"] == made["heard"]["text"]
    assert made["sentences"] is None
    assert made["spoken"]["voice"] == "hibari"
    assert soundfile.info(spoken).duration == pytest.approx(made["spoken"]["seconds"], abs=0.01)
    assert "children" in loquent.transcribe(spoken).text
    status, _, err = told(*asked, "--from", "de", "--term", "house=home")
    assert status == 1
    assert "without terms and a prefix" in err
    status, _, err = told(*asked)  # English is found by listening
    assert status == 1
    assert "in English already" in err
