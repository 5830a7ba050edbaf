"""A language model with text at both ends."""

from loquent.lm.answer import Answer, Likelihood
from loquent.lm.lm import LM
from loquent.lm.opening import open
from loquent.lm.reading import Reading

__all__ = ["LM", "Answer", "Likelihood", "Reading", "open"]
