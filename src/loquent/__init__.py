"""Loquent: the whole life of a language model on your own machine and your own data."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loquent.engine.request import Sampling
    from loquent.errors import UserError
    from loquent.evaluation.evaluate import evaluate
    from loquent.lm import LM, Answer, Likelihood, open
    from loquent.runs.compare import compare
    from loquent.runs.train import train
    from loquent.tasks.calls import (
        answer,
        classify,
        embed,
        fill,
        search,
        summarize,
        translate,
    )
    from loquent.tasks.speech_calls import transcribe, translate_speech
    from loquent.voices.speaking import speak

__version__ = "0.1.0"

# The public face, imported when first asked for, so that `import loquent` costs nothing.
_HOME = {
    "LM": "loquent.lm",
    "Answer": "loquent.lm",
    "Likelihood": "loquent.lm",
    "Sampling": "loquent.engine.request",
    "UserError": "loquent.errors",
    "answer": "loquent.tasks.calls",
    "classify": "loquent.tasks.calls",
    "compare": "loquent.runs.compare",
    "embed": "loquent.tasks.calls",
    "evaluate": "loquent.evaluation.evaluate",
    "fill": "loquent.tasks.calls",
    "open": "loquent.lm",
    "search": "loquent.tasks.calls",
    "speak": "loquent.voices.speaking",
    "summarize": "loquent.tasks.calls",
    "train": "loquent.runs.train",
    "transcribe": "loquent.tasks.speech_calls",
    "translate": "loquent.tasks.calls",
    "translate_speech": "loquent.tasks.speech_calls",
}

__all__ = [
    "LM",
    "Answer",
    "Likelihood",
    "Sampling",
    "UserError",
    "__version__",
    "answer",
    "classify",
    "compare",
    "embed",
    "evaluate",
    "fill",
    "open",
    "search",
    "speak",
    "summarize",
    "train",
    "transcribe",
    "translate",
    "translate_speech",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'loquent' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
