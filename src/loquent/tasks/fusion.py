"""A language model has its say while letters are searched for (shallow fusion)."""

from collections.abc import Sequence
from dataclasses import dataclass

from loquent.errors import RequestError, UsageError
from loquent.lm.lm import LM
from loquent.text.alignment import Fused, Said
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

    def begun(self, tokenizer: Tokenizer) -> Fused:
        """What it says in one search of pieces; complete words count alone, until all are said."""
        known = {"": 0.0}  # by text

        def added(many: Sequence[Said], whole: bool) -> list[float]:
            texts = [_words(tokenizer.decode(list(said)), whole) for said in many]
            new = [text for text in dict.fromkeys(texts) if text not in known]
            shown = [text.lower() if text.isupper() else text for text in new]
            found = self.lm.score([("", text) for text in shown]) if new else []
            for text, each in zip(new, found, strict=True):
                known[text] = self.weight * each.logprob + self.bonus * len(text.split())
            return [known[text] for text in texts]

        return added


def _words(text: str, whole: bool) -> str:
    words = text.split()
    if not whole and words and not text[-1].isspace():
        words.pop()
    return " ".join(words)
