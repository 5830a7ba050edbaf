"""A language model has its say while letters are searched for (shallow fusion)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loquent.errors import RequestError, UsageError
from loquent.lm.lm import LM
from loquent.text.alignment import Said
from loquent.text.tokenizer import Tokenizer

BEAMS = 16  # of a search that a language model takes part in, where nothing else is asked for


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """A model that continues texts, and how much its opinion counts.

    What is added to log p of a text is `weight` · log p of its words by this model, plus `bonus`
    for each word (Hannun et al. 2014, equation 4), as soon as they are complete. Texts in capital
    letters alone are shown to it in small ones.
    """

    lm: LM
    weight: float = 0.5
    bonus: float = 1.5
    known: dict[str, float] = field(default_factory=dict, compare=False)  # by text

    def __post_init__(self) -> None:
        """Refuse a model that does not continue texts, and weights that are none."""
        config = self.lm.network.config
        if config.decoder is None or config.encoder is not None:
            raise RequestError(
                "the model behind --lm must be one that continues texts.",
                fix="Train one: loquent train --task generate --data FILE.",
            )
        if self.weight < 0:
            raise UsageError(f"the weight of a language model is 0 or more, not {self.weight}.")

    def added(self, tokenizer: Tokenizer, many: Sequence[Said], whole: bool) -> list[float]:
        """What is added to log p of pieces; only complete words count, unless they are `whole`."""
        return [self._score(tokenizer.decode(list(said)), whole) for said in many]

    def _score(self, text: str, whole: bool) -> float:
        words = text.split()
        if not whole and words and not text[-1].isspace():
            words.pop()
        told = " ".join(words)
        if not told:
            return 0.0
        if told not in self.known:
            shown = told.lower() if told.isupper() else told
            (found,) = self.lm.score([("", shown)])
            self.known[told] = self.weight * found.logprob + self.bonus * len(words)
        return self.known[told]
