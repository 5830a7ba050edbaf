"""A model of ours driven by lm-evaluation-harness (Gao et al. 2021), as its model `loquent`.

    python -m loquent.evaluation.harness run --model loquent --model_args model=NAME --tasks …

is the harness's own command line with this model in its list; it needs `pip install lm-eval`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM as HarnessModel  # noqa: N811  # its name is ours too
from lm_eval.api.registry import register_model

from loquent.errors import UsageError, nearest
from loquent.evaluation.windows import CONTEXT, token_nats, window_of
from loquent.lm.lm import LM
from loquent.lm.opening import open
from loquent.lm.options import Options

_MAX_TOKENS = 256  # of an answer, where a task does not say
_ROWS = 16  # prompts that are continued together, where nothing is said
_KNOWN = (
    "until",
    "max_gen_toks",
    "max_tokens",
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "seed",
)


@register_model("loquent")
class Adapter(HarnessModel):  # type: ignore[misc]  # the package has no types
    """An `LM` with the three questions that the harness asks."""

    def __init__(
        self,
        model: str | LM,
        *,
        bits: Literal["auto", 4, 8, 16, 32] = "auto",
        runtime: Literal["auto", "native", "torch"] = "auto",
        device: str | None = None,
        batch_size: int | str = _ROWS,
    ) -> None:
        super().__init__()
        if not str(batch_size).isdecimal():
            raise UsageError(f"batch_size must be a number, not {batch_size!r}.")
        self._rows = int(batch_size)
        self.lm = (
            model
            if isinstance(model, LM)
            else open(model, bits=bits, runtime=runtime, device=device or "cpu")
        )

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """How likely each continuation is after its context, and whether it is the likeliest."""
        made = self.lm.score([each.args for each in requests])
        return [(each.logprob, each.greedy) for each in made]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """How likely each whole text is, in windows that do not overlap."""
        size = min(self.lm.context or CONTEXT, 2 * CONTEXT)
        window = window_of(self.lm, size, size)
        return [-float(token_nats(self.lm, each.args[0], window)[0].sum()) for each in requests]

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """What the model writes behind each prompt, up to a stop text."""
        made: list[str] = []
        for start in range(0, len(requests), self._rows):
            some = requests[start : start + self._rows]
            if len({str(each.args[1]) for each in some}) > 1:
                made += [self._written([each])[0] for each in some]
            else:
                made += self._written(some)
        return made

    def _written(self, requests: Sequence[Instance]) -> list[str]:
        stop, options = _options(requests[0].args[1])
        room = self.lm.context - int(options["max_tokens"]) if self.lm.context else 0
        if self.lm.context and room < 1:
            raise UsageError(f"the model reads {self.lm.context} tokens, too few for the answer.")
        prompts = [each.args[0] for each in requests]
        answers = self.lm.generate(prompts, stop=stop, truncate="left", **options)
        return [each.text for each in answers]

    @property
    def tokenizer_name(self) -> str:
        """What tells one tokenizer from another."""
        return self.lm.checkpoint.card.name

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The template that chats are put into, by which answers are kept; None without one."""
        template = self.lm.tokenizer.template if chat_template else None
        return template.source if template is not None else None

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A conversation as the model reads it."""
        template = self.lm.tokenizer.template
        if template is None:
            raise UsageError("this model has no chat template.")
        return template.render(chat_history, add_generation_prompt=add_generation_prompt)


def _options(given: Mapping[str, Any]) -> tuple[Sequence[str], Options]:
    """Stop texts and fields of Sampling; raises UsageError for a field that is not known."""
    unknown = [name for name in given if name not in _KNOWN]
    if unknown:
        raise UsageError(
            f"generation has no field {unknown[0]!r}.", fix=nearest(unknown[0], _KNOWN)
        )
    until = given.get("until", [])
    stop = [until] if isinstance(until, str) else [each for each in until if each]
    samples = given.get("do_sample", False) or given.get("temperature", 0) > 0
    made: Options = {
        "max_tokens": int(given.get("max_gen_toks", given.get("max_tokens", _MAX_TOKENS)))
    }
    if not samples:
        made["temperature"] = 0.0
        return stop, made
    made["temperature"] = float(given.get("temperature", 1.0))
    made["top_p"] = float(given.get("top_p", 1.0))
    made["top_k"] = int(given.get("top_k", 0))
    if "seed" in given:
        made["seed"] = int(given["seed"])
    return stop, made


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
