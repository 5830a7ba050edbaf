"""Real models that several tasks are tried on."""

from pathlib import Path

import pytest

import loquent
from loquent import LM
from loquent.errors import UserError


@pytest.fixture(scope="session")
def minilm() -> LM:
    """The catalogue's model that embeds; skips where it cannot be had."""
    try:
        return loquent.open("minilm")
    except UserError as error:
        pytest.skip(f"the model that embeds cannot be had here: {error}")


@pytest.fixture(scope="session")
def smollm(default_model: Path) -> LM:
    """The default model."""
    return loquent.open(default_model)


@pytest.fixture(scope="session")
def tiny_t5(tiny_t5_folder: Path) -> LM:
    """The tiny T5, open."""
    return loquent.open(tiny_t5_folder, bits=32)
