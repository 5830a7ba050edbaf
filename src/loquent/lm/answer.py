"""What a language model gives back, with the receipt for it."""

from dataclasses import dataclass

from loquent.engine.request import Choice, Finish


@dataclass(frozen=True)
class Answer:
    """What a model wrote, and how."""

    text: str
    ids: list[int]  # without the token that ended the answer
    finish: Finish
    logprobs: list[Choice] | None  # one for each id, where they were asked for
    prompt_tokens: int  # that were read; of an encoder's source, those that frame it too
    dropped_tokens: int  # of the prompt, by `truncate`
    seconds: float  # from the request to the last token
    first_seconds: float  # from the request to the first token
    seed: int
    shared_tokens: int = 0  # of the prompt, which was read before, for another request
    drafted_tokens: int = 0  # guessed while this was written
    accepted_tokens: int = 0  # of these, those that were right and saved a step each
    others: tuple["Answer", ...] = ()  # answers 2 to n

    @property
    def tokens_per_second(self) -> float:
        """Tokens after the first, by the time that they took."""
        later = self.seconds - self.first_seconds
        return (len(self.ids) - 1) / later if len(self.ids) > 1 and later > 0 else 0.0


@dataclass(frozen=True)
class Likelihood:
    """How likely a model finds a continuation after its context."""

    logprob: float  # natural logarithm, the sum over all tokens
    tokens: int
    greedy: bool  # whether each token was the likeliest one
