"""Ids come one by one, text goes out in whole characters and never with half a stop string."""

import codecs
from collections.abc import Callable, Iterable, Sequence

from loquent.errors import RequestError
from loquent.text.pieces import Pieces

_REPLACEMENT = "\ufffd"
_HALVES = dict.fromkeys(range(0xDC80, 0xDD00), _REPLACEMENT)  # as "surrogateescape" keeps bytes


class Bytes:
    """A byte-level vocabulary: UTF-8 whose characters may be split over ids."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, id: int) -> str:
        """The characters that this id completes."""
        return self._decoder.decode(self._pieces.of(id))

    def finish(self) -> str:
        """What is left, with U+FFFD for half a character."""
        return self._decoder.decode(b"", final=True)


class Runs:
    """SentencePiece: pieces of text between which runs of byte pieces spell other characters."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._strip = pieces.strip
        # One U+FFFD for each damaged byte, where Bytes has one for each damaged sequence.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def push(self, id: int) -> str:
        """The characters that this id completes."""
        byte = self._pieces.byte(id)
        if byte is not None:
            return self._begun(self._decoder.decode(bytes((byte,))).translate(_HALVES))
        return self._begun(self._rest() + self._pieces.of(id).decode())

    def finish(self) -> str:
        """What is left, with U+FFFD for half a character."""
        return self._begun(self._rest())

    def _rest(self) -> str:
        return self._decoder.decode(b"", final=True).translate(_HALVES)

    def _begun(self, text: str) -> str:
        """The start of a text loses the space that the encoder put there."""
        while self._strip and text:
            if text[0] != " ":
                self._strip = 0
                break
            text, self._strip = text[1:], self._strip - 1
        return text


class Local:
    """A decoder that takes each piece for itself: an id adds the same after any other."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._last: list[int] = []  # the first id of a text is decoded in a way of its own

    def push(self, id: int) -> str:
        """What this id adds to the text of the one before it."""
        before = self._pieces.text(self._last) if self._last else ""
        text = self._pieces.text([*self._last, id])
        self._last = [id]
        return text[len(before) :]

    def finish(self) -> str:
        """Nothing is held back."""
        return ""


class Whole:
    """Any other decoder: only its whole text is certain."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._ids: list[int] = []

    def push(self, id: int) -> str:
        """Nothing yet."""
        self._ids.append(id)
        return ""

    def finish(self) -> str:
        """The whole text."""
        return self._pieces.text(self._ids)


Decoder = Bytes | Runs | Local | Whole
DECODERS: dict[str, Callable[[Pieces], Decoder]] = {
    "bytes": Bytes,
    "runs": Runs,
    "local": Local,
    "whole": Whole,
}


def joined(pieces: Pieces, ids: Iterable[int]) -> str:
    """The text of ids, decoded one by one."""
    decoder = DECODERS[pieces.kind](pieces)
    return "".join([*map(decoder.push, ids), decoder.finish()])


class TokenStream:
    """Text from ids as they come: whole characters only, up to the first stop string.

    Of several stop strings the one that is complete first counts (of those that end at one place
    the longest), so that the answer does not depend on how the text falls into tokens.
    """

    def __init__(
        self, pieces: Pieces, vocabulary: int, skipped: frozenset[int], stops: Sequence[str]
    ) -> None:
        if any(not stop for stop in stops):
            raise RequestError("a stop string is empty.", fix="Leave it out.")
        self.stopped = False  # a stop string was found; nothing more will come
        self.stop: str | None = None  # the stop string that was found
        self._vocabulary = vocabulary
        self._skipped = skipped
        self._stops = tuple(stops)
        self._decoder = DECODERS[pieces.kind](pieces)
        self._held = ""

    def push(self, id: int) -> str:
        """The text that is certain now; raises RequestError for an id outside the vocabulary."""
        if not 0 <= id < self._vocabulary:
            raise RequestError(
                f"token id {id} is outside the vocabulary.",
                fix=f"Ids are from 0 to {self._vocabulary - 1}.",
            )
        if self.stopped or id in self._skipped:
            return ""
        return self._pass(self._decoder.push(id))

    def finish(self) -> str:
        """The text that was held back; call it once, after the last id."""
        if self.stopped:
            return ""
        text = self._pass(self._decoder.finish()) + self._held
        self._held = ""
        return text

    def _pass(self, text: str) -> str:
        if not self._stops or not text:
            return text
        text = self._held + text
        self._held = ""
        found = [(text.find(stop) + len(stop), -len(stop)) for stop in self._stops if stop in text]
        if found:
            end, negative = min(found)
            self.stopped = True
            self.stop = text[end + negative : end]
            return text[: end + negative]
        start = self._doubtful(text)
        self._held = text[start:]
        return text[:start]

    def _doubtful(self, text: str) -> int:
        """Where the longest end of the text begins that may become a stop string."""
        longest = max(len(stop) for stop in self._stops) - 1
        for start in range(max(0, len(text) - longest), len(text)):
            if any(stop.startswith(text[start:]) for stop in self._stops):
                return start
        return len(text)
