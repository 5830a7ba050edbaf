"""The canvas that becomes a PNG image."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loquent.training import glyphs
from loquent.training.canvas import Anchor, Point

_SCALE = 2  # points of the image to a CSS pixel
_LETTER = 2  # points of the image to a point of the font
_ADVANCE = (glyphs.WIDTH + 1) * _LETTER
_THEME = {"axis": "#57606a", "grid": "#d8dee4"}
_INK = "#24292f"
_ON, _PERIOD = 12.0, 20.0  # dashes, in points of the image


class Raster:
    """A white canvas of a size in CSS pixels, held as (height, width, 3) shares of light."""

    def __init__(self, width: float, height: float) -> None:
        shape = (round(height * _SCALE), round(width * _SCALE), 3)
        self._light = np.ones(shape, dtype=np.float32)

    def line(self, points: Sequence[Point], color: str, width: float, dashed: bool) -> None:
        """Draw a line through points."""
        corners = np.array(points, dtype=np.float64) * _SCALE
        lengths = np.hypot(*np.diff(corners, axis=0).T)
        along = np.concatenate(([0.0], np.cumsum(lengths)))
        at = np.arange(0.0, along[-1] + 0.25, 0.5)  # a disk every half point makes a smooth line
        if dashed:
            at = at[at % _PERIOD < _ON]
        disks = np.stack([np.interp(at, along, corners[:, axis]) for axis in (0, 1)], axis=1)
        self._disks(disks, width * _SCALE / 2, color)

    def dots(self, points: Sequence[Point], color: str) -> None:
        """Draw a dot at each point."""
        self._disks(np.array(points) * _SCALE, 2.5 * _SCALE, color)

    def text(self, x: float, y: float, text: str, anchor: Anchor, strong: bool) -> None:
        """Draw a text whose foot is at y, in capitals; a strong one is drawn wider."""
        width = len(text) * _ADVANCE
        shift = {"start": 0.0, "middle": width / 2, "end": float(width)}[anchor]
        left = round(x * _SCALE - shift)
        top = round(y * _SCALE) - glyphs.HEIGHT * _LETTER
        height, limit, _ = self._light.shape
        for place, character in enumerate(text):
            for column, row in glyphs.points(character):
                at = left + place * _ADVANCE + column * _LETTER
                down = top + row * _LETTER
                right = at + _LETTER + strong
                if at >= 0 and right <= limit and 0 <= down <= height - _LETTER:
                    self._light[down : down + _LETTER, at:right] = _light(_INK)

    def png(self) -> bytes:
        """The image as PNG (ISO/IEC 15948): eight bits a color, no filter."""
        height, width, _ = self._light.shape
        rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # the first byte: filter 0
        rows[:, 1:] = np.rint(self._light * 255).reshape(height, -1)
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(rows.tobytes(), 6)),
            (b"IEND", b""),
        )
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)

    def _disks(self, centers: NDArray[np.float64], radius: float, color: str) -> None:
        """Mix a color in, by how much of each point the disks (N, 2) cover."""
        reach = int(radius) + 1
        near = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
        at = np.floor(centers).astype(np.int64)[:, None] + near  # (N, points of a disk, 2)
        far = np.hypot(*np.moveaxis(at + 0.5 - centers[:, None], -1, 0))
        share = np.clip(radius + 0.5 - far, 0.0, 1.0).astype(np.float32)
        height, width, _ = self._light.shape
        inside = ((at >= 0) & (at < (width, height))).all(axis=-1)
        at, share = at[inside], share[inside]
        if not len(at):
            return
        first, last = at.min(axis=0), at.max(axis=0) + 1  # the part that is touched
        covered = np.zeros((last - first)[::-1], dtype=np.float32)
        np.maximum.at(covered, (at[:, 1] - first[1], at[:, 0] - first[0]), share)
        light = self._light[first[1] : last[1], first[0] : last[0]]
        light += covered[..., None] * (_light(_THEME.get(color, color)) - light)


def _light(color: str) -> NDArray[np.float32]:
    levels = np.frombuffer(bytes.fromhex(color[1:]), dtype=np.uint8)
    return levels.astype(np.float32) / np.float32(255)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum
