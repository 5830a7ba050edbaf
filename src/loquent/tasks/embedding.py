"""Texts as vectors, for texts that the model can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loquent.lm.lm import LM
from loquent.tasks.fitting import checked, readable
from loquent.text.encoding import Truncate


@dataclass(frozen=True, eq=False)
class Embedded:
    """The embedding of one text."""

    vector: NDArray[np.float32]  # (D,)

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON: the shortest decimals that give the same float32 back."""
        return {"embedding": [float(str(each)) for each in self.vector]}


def embed(
    lm: LM,
    texts: Sequence[str],
    *,
    normalize: bool = True,
    prompt: str = "",
    truncate: Truncate | None = None,
) -> list[Embedded]:
    """As `LM.embed`, but an empty text, or one in characters that the model lacks, is refused."""
    for text in texts:
        readable(lm.tokenizer, checked(text))
    made = lm.embed(texts, normalize=normalize, prompt=prompt, truncate=truncate)
    return [Embedded(vector) for vector in made]
