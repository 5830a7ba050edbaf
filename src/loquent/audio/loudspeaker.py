"""The loudspeaker, by the package sounddevice where it is there, else by a program."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

from loquent.audio.packages import sounddevice
from loquent.audio.playing import Player, player
from loquent.audio.sound import Samples
from loquent.errors import UserError


class Sink(Protocol):
    """What takes sound."""

    def write(self, samples: Samples) -> None:
        """Take samples (N,) behind those before."""

    def drop(self) -> None:
        """Forget what was written and not heard yet."""


class DeviceStream:
    """Plays what is written at once."""

    def __init__(self, rate: int) -> None:
        """Open it; raises UserError where there is no loudspeaker, or no package."""
        device = sounddevice()
        try:
            self._stream: Any = device.OutputStream(rate, channels=1, dtype="float32")
            self._stream.start()
        except Exception as fault:  # the package's own errors, whose names differ
            raise UserError(f"no loudspeaker can be opened: {fault}.") from fault

    def write(self, samples: Samples) -> None:
        """Play samples (N,) behind those before; waits while there is no room for them."""
        self._stream.write(samples.reshape(-1, 1))

    def drop(self) -> None:
        """Be silent at once."""
        self._stream.abort()

    def __enter__(self) -> "DeviceStream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._stream.stop()  # when all is heard
        self._stream.close()


def loudspeaker(rate: int) -> AbstractContextManager[Sink]:
    """What plays at once; raises UserError where neither the package nor a program can."""
    try:
        return DeviceStream(rate)
    except UserError:
        player(piped=True)  # one that takes whole files only cannot be interrupted
        return Player(rate)


def check_loudspeaker(rate: int) -> None:
    """Raise UserError where nothing can be played."""
    try:
        with DeviceStream(rate):
            return
    except UserError:
        player(piped=True)
