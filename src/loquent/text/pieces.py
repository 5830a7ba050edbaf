"""What each piece of a vocabulary adds to a text, read from the decoder of its tokenizer."""

import json
import re
from typing import Any

import tokenizers

from loquent.text.guard import guarded

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_LOCAL = {"Metaspace", "WordPiece", "BPEDecoder"}  # each piece is decoded for itself


def byte_characters() -> dict[str, int]:
    """The character that stands for each byte in a byte-level vocabulary (Radford et al. 2019).

    Printable bytes of Latin-1 stand for themselves, the others for characters from U+0100 on.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    characters = {chr(byte): byte for byte in plain}
    characters.update({chr(256 + place): byte for place, byte in enumerate(others)})
    return characters


class Pieces:
    """The pieces of a vocabulary as bytes, and how a text is put together from them.

    kind: "bytes": bytes of all pieces in a row; "runs": text, with runs of byte pieces in it;
    "local": the library decodes each piece for itself; "whole": nothing is known of the decoder.
    """

    def __init__(self, library: tokenizers.Tokenizer, where: str) -> None:
        self._library = library
        self._where = where
        self._known: dict[int, bytes] = {}
        self._characters = byte_characters()
        steps = _steps(library)
        kinds = [step["type"] for step in steps]
        self.byte_fallback = "ByteFallback" in kinds
        self.strip = 0  # spaces that the start of a text loses
        self._replaced: list[tuple[str, str]] = []
        if kinds == ["ByteLevel"]:
            self.kind = "bytes"
        elif self._is_runs(steps):
            self.kind = "runs"
        else:
            self.kind = "local" if len(kinds) == 0 or set(kinds) <= _LOCAL else "whole"

    def _is_runs(self, steps: list[dict[str, Any]]) -> bool:
        """Whether the decoder is SentencePiece's: replace, join bytes, fuse, strip the start."""
        left = list(steps)
        while left and left[0]["type"] == "Replace" and "String" in left[0]["pattern"]:
            step = left.pop(0)
            self._replaced.append((step["pattern"]["String"], step["content"]))
        for kind in ("ByteFallback", "Fuse"):
            if left and left[0]["type"] == kind:
                left.pop(0)
        fused = "Fuse" in (step["type"] for step in steps)
        if left and left[0]["type"] == "Strip" and fused:
            step = left.pop(0)
            if step["content"] == " " and step["stop"] == 0:
                self.strip = step["start"]
            else:
                return False
        return bool(self._replaced) and not left

    def byte(self, id: int) -> int | None:
        """The byte for which a byte piece such as '<0x0A>' stands; None for any other piece."""
        if not self.byte_fallback:
            return None
        match = _BYTE.fullmatch(self._library.id_to_token(id) or "")
        return int(match[1], 16) if match else None

    def of(self, id: int) -> bytes:
        """The bytes that a piece adds to a text that has begun."""
        if id not in self._known:
            self._known[id] = self._bytes(id)
        return self._known[id]

    def _bytes(self, id: int) -> bytes:
        piece = self._library.id_to_token(id) or ""
        if self.kind == "bytes":
            values = [self._characters.get(character, -1) for character in piece]
            return piece.encode() if -1 in values else bytes(values)
        if self.kind == "runs":
            byte = self.byte(id)
            if byte is not None:
                return bytes((byte,))
            for old, new in self._replaced:
                piece = piece.replace(old, new)
            return piece.encode()
        return self.text([id]).encode()

    def text(self, ids: list[int]) -> str:
        """The text of ids as the library decodes them, special tokens included."""
        with guarded(self._where, "decoding"):
            text: str = self._library.decode(ids, skip_special_tokens=False)
        return text


def _steps(library: tokenizers.Tokenizer) -> list[dict[str, Any]]:
    decoder = library.decoder
    if decoder is None:
        return []
    state = json.loads(decoder.__getstate__())
    steps: list[dict[str, Any]] = state["decoders"] if state["type"] == "Sequence" else [state]
    return steps
