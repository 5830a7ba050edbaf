"""Answers in a model's own words, which is shown the text or the parts that fit a question best."""

from typing import NamedTuple

from loquent.errors import RequestError
from loquent.lm.lm import LM
from loquent.tasks.asking import reader
from loquent.tasks.extracting import relevant
from loquent.tasks.fitting import count, fitted, pieces
from loquent.text.encoding import Truncate
from loquent.text.tokenizer import Tokenizer

_PART_TOKENS = 120  # of the parts of a long text that a model is shown
_SHOWN_TOKENS = 600  # of all parts together
_LEAST_SHOWN = 32
_SPARE = 64  # tokens that joining texts may add

# What a language model continues: two questions with their answers, and then the one that is asked.
ASKED = "Text: {text}\nQuestion: {question}\nAnswer:"
_TOWER = (
    "The Eiffel Tower in Paris was built by the company of the engineer Gustave Eiffel from 1887 "
    "to 1889. It is 330 metres tall."
)
_SHOWN = (("Whose company built it?", "Gustave Eiffel"), ("How tall is it?", "330 metres"))
EXAMPLES = "".join(
    f"{ASKED.format(text=_TOWER, question=question)} {answer}\n\n" for question, answer in _SHOWN
)
INSTRUCTION = (  # to an encoder
    'Answer the question with words from the text, or with "unanswerable".\n\n' + ASKED
)
_NONE = "unanswerable"


class Worded(NamedTuple):
    """What a model wrote; "" where it wrote that the text has no answer."""

    text: str
    dropped: int  # tokens of the text that it was not shown


def worded(lm: LM, question: str, text: str, max_tokens: int, truncate: Truncate | None) -> Worded:
    """What a model writes that was shown a text, or of a long one what fits the question best.

    Raises RequestError for a question that leaves no room for the text.
    """
    tokenizer, encoder = reader(lm), lm.network.config.encoder
    limit = encoder.length if encoder is not None else lm.context
    (around,) = count(tokenizer, [EXAMPLES + INSTRUCTION + question])
    left = _SHOWN_TOKENS
    if limit:
        left = min(left, limit - around - _SPARE - (0 if encoder is not None else max_tokens))
    if left < _LEAST_SHOWN:
        raise RequestError(
            f"the question leaves no room for the text: the model reads {limit} tokens.",
            fix="Shorten the question, or choose another model.",
        )
    shown, dropped = text, 0
    if count(tokenizer, [text])[0] > left:
        if truncate is not None:
            shown, dropped = fitted(tokenizer, text, left, truncate)
        else:
            shown, dropped = _most_relevant(tokenizer, question, text, left)
    words = {"text": " ".join(shown.split()), "question": " ".join(question.split())}
    if encoder is not None:
        made = lm.generate(INSTRUCTION.format(**words), temperature=0, max_tokens=max_tokens)
    else:
        prompt = EXAMPLES + ASKED.format(**words)
        made = lm.generate(prompt, temperature=0, max_tokens=max_tokens, stop=["\n"])
    told = made.text.strip()
    none = told.lower().strip(" .\"'").startswith(_NONE)
    return Worded("" if none else told, dropped)


def _most_relevant(tokenizer: Tokenizer, question: str, text: str, left: int) -> tuple[str, int]:
    """The parts of a long text that share the most words with the question, in their order."""
    parts = pieces(tokenizer, text, min(_PART_TOKENS, left))
    texts = [each.of(text) for each in parts]
    sizes = count(tokenizer, texts)
    chosen: list[int] = []
    for place in relevant(question, texts):
        if sum(sizes[each] + 1 for each in chosen) + sizes[place] <= left:
            chosen.append(place)
    dropped = sum(sizes) - sum(sizes[each] for each in chosen)
    return "\n".join(texts[each] for each in sorted(chosen)), dropped
