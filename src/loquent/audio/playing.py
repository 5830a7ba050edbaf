"""Sound to the loudspeakers, by whichever player of this machine takes it from a pipe or a file."""

import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from loquent.audio.sound import Samples
from loquent.audio.wav import WavStream, header, pcm
from loquent.errors import UserError

# Programs in the order in which they are looked for; "-" stands for the pipe, {} for a file.
PLAYERS = {
    "aplay": ("-q", "-"),
    "ffplay": ("-loglevel", "error", "-nodisp", "-autoexit", "-i", "-"),
    "mpv": ("--really-quiet", "--no-video", "-"),
    "play": ("-q", "-t", "wav", "-"),
    "paplay": ("{}",),
    "afplay": ("{}",),
}


def player(*, piped: bool = False) -> str:
    """The name of the program that plays here; `piped`: at once, what comes by a pipe.

    Raises UserError where there is none.
    """
    known = [name for name, words in PLAYERS.items() if "-" in words or not piped]
    found = next((name for name in known if shutil.which(name)), "")
    if not found:
        raise UserError(
            f"no player was found to play sound ({', '.join(known)}).",
            fix="Install one of them, or write a file with -o and open it.",
        )
    return found


class Player:
    """Plays what is written to it: `with Player(rate) as player: player.write(samples)`.

    A program that reads pipes plays at once; of one that reads files, all is played at the end.
    """

    def __init__(self, rate: int) -> None:
        """Start the player; raises UserError where there is none."""
        self.name = player()
        self._rate = rate
        self._words = [shutil.which(self.name) or self.name, *PLAYERS[self.name]]
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: WavStream | None = None
        self._kept: list[bytes] = []
        self._dropped = False
        if "-" in self._words:
            self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE)
            self._stream = WavStream(self._pipe(), rate)

    def write(self, samples: Samples) -> None:
        """Play samples (N,) behind those before; raises UserError where the player has ended."""
        if self._stream is None:
            self._kept.append(pcm(samples))
            return
        try:
            self._stream.write(samples)
        except OSError as fault:
            raise self._ended() from fault

    def drop(self) -> None:
        """Be silent at once: what was written and not heard yet is forgotten."""
        self._dropped = True
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> "Player":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and kind is not None:
            self._process.kill()
            self._process.wait()
        elif self._process is not None:
            with suppress(OSError):  # it may have ended already
                self._pipe().close()
            if self._process.wait() != 0 and not self._dropped:
                raise self._ended()
        elif kind is None and not self._dropped:
            self._play_file()

    def _pipe(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    def _play_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speech.wav"
            path.write_bytes(header(self._rate) + b"".join(self._kept))
            words = [str(path) if each == "{}" else each for each in self._words]
            if subprocess.run(words, check=False).returncode != 0:
                raise self._ended()

    def _ended(self) -> UserError:
        return UserError(
            f"{self.name} could not play the sound.",
            fix="Is there a loudspeaker? A file can be written with -o.",
        )
