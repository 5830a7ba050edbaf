"""Vectors of tokens with which a new network begins: those of a pretrained model."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.errors import ConfigError
from loquent.model.model import Model


def vectors_of(
    config: ModelConfig,
    weights: Mapping[str, NDArray[np.generic]],
    tokens: int,
    *,
    where: str = "",
) -> NDArray[np.float32]:
    """The vectors (V, D) of a pretrained model's first `tokens` tokens, about their mean.

    The mean is what all vectors have in common, which says nothing of a token and is often the
    largest part of each (Mu and Viswanath 2018, §2). Raises ConfigError where there are none, with
    the model's name (`where`).
    """
    side = "encoder" if config.encoder is not None else "decoder"
    table = weights.get(f"{side}.embedding.weight")
    if table is None or len(table) < tokens:
        raise ConfigError(f"has no vectors of its {tokens:,} tokens.", where=where)
    vectors = np.asarray(table[:tokens], dtype=np.float32)
    centered: NDArray[np.float32] = vectors - vectors.mean(axis=0)
    return centered


def begin_with(model: Model, vectors: NDArray[np.float32]) -> None:
    """Put `vectors` (V, D) in the place of those that were drawn, whose size they get.

    They are as large in the mean as what was drawn, to which the other weights were suited. Raises
    ConfigError for a network without such a table.
    """
    stacks = [each for each in (model.encoder, model.decoder) if each is not None]
    tables = [each.embedding for each in stacks if each.embedding is not None]
    given = torch.from_numpy(vectors)
    for table in tables:
        if table.weight.shape != given.shape:
            wanted, there = tuple(table.weight.shape), tuple(given.shape)
            raise ConfigError(f"the vectors are {there}, and the network's {wanted}.")
        with torch.no_grad():
            table.weight.copy_(given * (table.weight.std() / given.std()))
    if not tables:
        raise ConfigError("the network has no vectors of tokens.")
