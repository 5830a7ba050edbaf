"""Formats of sound files: told by their first bytes, as a name may lie."""

from typing import NamedTuple

from loquent.errors import DataError, UsageError, nearest

HEAD_BYTES = 64  # that tell a format


class Format(NamedTuple):
    """A format that is written, in libsndfile's words."""

    container: str
    subtype: str


WRITTEN = {
    "wav": Format("WAV", "PCM_16"),
    "flac": Format("FLAC", "PCM_16"),
    "ogg": Format("OGG", "VORBIS"),
    "mp3": Format("MP3", "MPEG_LAYER_III"),
}
READ = "wav, flac, ogg, mp3, aiff and au"

_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"{", "JSON"),
)
_WITH_VIDEO = ((b"ftyp", 4, "m4a or mp4"), (b"\x1aE\xdf\xa3", 0, "webm or mkv"))


def read_format(head: bytes, where: str) -> str:
    """The name of a format by the first bytes of a file; raises DataError where it is not read."""
    if not head:
        raise DataError("is empty.", where=where)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    known = {b"fLaC": "flac", b"OggS": "ogg", b".snd": "au"}
    if head[:4] in known:
        return known[head[:4]]
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    layer = head[0] == 0xFF and len(head) > 1 and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6)
    if head[:3] == b"ID3" or layer:
        return "mp3"
    for mark, at, name in _WITH_VIDEO:
        if head[at : at + len(mark)] == mark:
            fix = "Turn it into wav first, for example with: ffmpeg -i FILE -ar 16000 out.wav"
            raise DataError(f"is {name}, which is not read.", where=where, fix=fix)
    for mark, name in _OTHERS:
        if head.startswith(mark):
            raise DataError(f"is {name}, not sound.", where=where)
    raise DataError(f"is no sound that is read: {READ} are.", where=where)


def written_format(name: str) -> Format:
    """A format by its name; raises UsageError with the nearest one."""
    if name not in WRITTEN:
        told = f"{name!r} is no format that sound is written in." if name else "needs a format."
        raise UsageError(told, fix=nearest(name, WRITTEN))
    return WRITTEN[name]
