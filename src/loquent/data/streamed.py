"""The text of a file of any size, of which only the part being read is in memory."""

import codecs
import re
from typing import BinaryIO

from loquent.data.source import Encoding
from loquent.errors import DataError

_CHUNK_BYTES = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")


class Text:
    """Text that goes on where one asks for more, and forgets what one has gone over."""

    def __init__(self, file: BinaryIO, encoding: Encoding, name: str, most: int) -> None:
        """Read a file from where it stands; `most` characters at once are kept."""
        self.name = name
        self.text = ""
        self.at = 0  # the place in `text`
        self.line = 1  # of that place
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding.name)()
        self._most = most
        self._byte = encoding.mark  # how far the file is read

    def more(self) -> bool:
        """Read on; whether there was more. Raises DataError where that is no text."""
        left = len(self.text) - self.at
        if left > self._most:
            what = f"one object has over {self._most} characters."
            raise DataError(what, where=f"{self.name}:{self.line}")
        raw = self._file.read(max(_CHUNK_BYTES, left))
        base = self._byte - len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as fault:
            wrong = fault.object[fault.start]
            what = f"is not {fault.encoding}: byte 0x{wrong:02x} at byte {base + fault.start}."
            raise DataError(what, where=self.name, fix="Save it as UTF-8.") from fault
        if "\0" in text:
            raise DataError(f"holds a NUL character after byte {base}.", where=self.name)
        self._byte += len(raw)
        self.text = self.text[self.at :] + text
        self.at = 0
        return bool(raw)

    def skip_space(self) -> str:
        """Go over white space; the next character, or '' at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.go(found.end() if found else self.at)
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def go(self, to: int) -> None:
        """Be at another place of `text`."""
        self.line += self.text.count("\n", self.at, to)
        self.at = to
