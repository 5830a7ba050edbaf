"""A language model with text at both ends."""

from loquent.lm.answer import Answer, Likelihood
from loquent.lm.lm import LM
from loquent.lm.opening import open

__all__ = ["LM", "Answer", "Likelihood", "open"]
