"""Commands heard by a recognizer that was never trained for them."""

from pathlib import Path

import numpy as np
import pytest

import loquent
from loquent.audio.reading import read_sound
from loquent.audio.sound import Sound
from loquent.errors import UsageError, UserError
from loquent.lm.lm import LM
from loquent.tasks.listening import Listener, _says


@pytest.fixture(scope="module")
def whisper() -> LM:
    try:
        return loquent.open("whisper-tiny.en", offline=True)
    except UserError as error:
        pytest.skip(f"whisper-tiny.en is not on this machine: {error}")


def test_a_command_may_be_written_several_times() -> None:
    assert _says(["go", "left"], ["go", "left"])
    assert _says(["yes", "yes", "yes"], ["yes"])
    assert not _says(["yes", "no"], ["yes"])
    assert not _says(["go"], ["go", "left"])


@pytest.mark.weights
def test_whisper_hears_commands(whisper: LM, data: Path) -> None:
    listener = Listener(whisper, ["one", "seven", "nine"], threshold=0.4)
    clips = data / "fsdd" / "recordings"
    for name, expected in (("7_jackson_0", "seven"), ("9_jackson_0", "nine"), ("4_jackson_0", "")):
        sound = read_sound(clips / f"{name}.wav")
        room = np.zeros(4800, np.float32)
        padded = np.concatenate([room, sound.samples, room])
        heard = listener.hear(Sound(padded, sound.rate))
        assert heard.label == expected, heard
    with pytest.raises(UsageError, match="name the commands"):
        Listener(whisper)
