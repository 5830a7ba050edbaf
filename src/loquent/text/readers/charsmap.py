"""The character map of SentencePiece: a double array and the texts that it points to."""

import base64
import binascii
import struct

from loquent.errors import CheckpointError

_LONGEST = 128  # bytes for which one character may stand; NFKC's longest has 33


def check_charsmap(charsmap: object, where: str) -> bytes:
    """The bytes of a map, from a file as they are or in base64; raises CheckpointError.

    Layout (SentencePiece, normalizer.cc): four bytes with the size of the double array, the array,
    then texts that each end in a zero byte.
    """
    if isinstance(charsmap, str):
        try:
            charsmap = base64.b64decode(charsmap, validate=True)
        except (binascii.Error, ValueError) as fault:
            raise CheckpointError(
                f"the character map is no base64: {fault}.", where=where
            ) from None
    if charsmap is None or charsmap == b"":
        return b""
    if not isinstance(charsmap, bytes) or len(charsmap) < 4:
        raise CheckpointError("the character map is too short.", where=where)
    size = struct.unpack_from("<I", charsmap)[0]
    if size % 4 or size < 4 * 256 or size > len(charsmap) - 4:
        raise CheckpointError(
            f"the character map says that its array has {size} bytes; it has {len(charsmap)} "
            "bytes in all.",
            where=where,
        )
    texts = charsmap[4 + size :]
    if texts and max(map(len, texts.split(b"\0"))) > _LONGEST:
        raise CheckpointError(
            f"the character map has a text of over {_LONGEST} bytes.", where=where
        )
    return charsmap
