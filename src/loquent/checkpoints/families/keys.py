"""Foreign settings, read strictly: by kind and bounds, none left unread, all faults at once."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from loquent.architecture import Activation
from loquent.errors import ConfigError, UserError, nearest, together

Kind = TypeVar("Kind")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The largest values that any published network comes near, so that a damaged file is refused
# before anything is built of it.
WIDTH = 2**17
FEEDFORWARD = 2**20
HEADS = 2**12
LAYERS = 2**12
LENGTH = 2**28
VOCABULARY = 2**24

ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}

# Settings that leave the mathematics of a forward pass alone: bookkeeping, training, advice on
# generation (which is read from generation_config.json) and choices of implementation.
INERT = _words(
    """
    _attn_implementation _attn_implementation_autoset _name_or_path _num_labels architectures
    attn_implementation bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward
    decoder_start_token_id diversity_penalty do_sample dtype early_stopping
    encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task
    forced_bos_token_id forced_eos_token_id gradient_checkpointing id2label initializer_range
    is_decoder label2id length_penalty max_length min_length model_type no_repeat_ngram_size
    num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states
    output_past output_scores pad_token_id prefix problem_type remove_invalid_values
    repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens
    task_specific_params temperature tokenizer_class top_k top_p torch_dtype torchscript
    transformers.js_config transformers_version typical_p unsloth_fixed unsloth_version
    use_bfloat16 use_cache
    """
)

_UNEXECUTED = {
    "add_cross_attention": "a decoder that attends to an encoder is another family.",
    "is_encoder_decoder": "an encoder with a decoder is another family.",
    "tie_encoder_decoder": "an encoder with a decoder is another family.",
    "cross_attention_hidden_size": "an encoder with a decoder is another family.",
    "pruned_heads": "heads that are taken out layer by layer are not executed here.",
    "quantization_config": "weights packed by another library are not read; use a GGUF file.",
    "auto_map": "the folder brings code of its own, which is never run.",
}


class Keys:
    """A mapping of settings that remembers what was read and what was wrong with it.

    A setting of null counts as absent, as it does for transformers.
    """

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self.values = values
        self.prefix = prefix  # of the names in faults
        self.read: set[str] = set()
        self.faults: list[UserError] = []

    def raw(self, name: str) -> Any:
        """The value as it stands, or None; counts as read."""
        self.read.add(name)
        return self.values.get(name)

    def whole(self, name: str, most: int, default: int | None = None, least: int = 1) -> int:
        """A whole number from `least` to `most`; without a default it must be there."""
        value = self._value(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        return self._fault(name, value, f"a whole number from {least} to {most}", least)

    def number(
        self, name: str, default: float | None, least: float = 0.0, most: float = 1e12
    ) -> float:
        """A finite number from `least` to `most`; without a default it must be there."""
        value = self._value(name, default)
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if real and math.isfinite(value) and least <= value <= most:
            return float(value)
        return self._fault(name, value, f"a number from {least:g} to {most:g}", max(least, 1.0))

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._value(name, default)
        if isinstance(value, bool):
            return value
        return self._fault(name, value, "true or false", default)

    def choice(self, name: str, table: Mapping[str, Kind], default: str) -> Kind:
        """What the table says of a word."""
        value = self._value(name, default)
        if isinstance(value, str) and value in table:
            return table[value]
        return self._fault(name, value, f"one of {', '.join(sorted(table))}", table[default])

    def table(self, name: str) -> "Keys":
        """A table within; its faults are told with these."""
        value = self._value(name, {})
        if not isinstance(value, Mapping):
            value = self._fault(name, value, "a table", {})
        inner = Keys(value, f"{self.prefix}{name}.")
        inner.faults = self.faults
        return inner

    def expect(self, name: str, allowed: Iterable[Any], why: str) -> None:
        """Refuse a setting that has any value but these (or none)."""
        value = self.raw(name)
        if value is not None and not any(value == each for each in allowed):
            self.refuse(f"{self.prefix}{name} is {_short(value)}: {why}")

    def refuse(self, what: str) -> None:
        """Note a fault."""
        self.faults.append(ConfigError(what))

    def known(self, inert: Iterable[str] = ()) -> None:
        """Refuse every setting that was neither read nor is known to be inert."""
        names = self.read | set(inert)
        for name in self.values:
            if name not in names and self.values[name] is not None:
                self.faults.append(
                    ConfigError(
                        f"{_short(self.prefix + str(name))} is not known, so it may change the "
                        "network.",
                        fix=nearest(str(name), names),
                    )
                )

    def finish(self, inert: Iterable[str] = (), *, encoded: bool = False) -> None:
        """Raise ConfigError with all faults, unknown settings included.

        `encoded` where the network is a decoder behind an encoder.
        """
        for name, why in _UNEXECUTED.items():
            if not (encoded and name == "is_encoder_decoder"):
                self.expect(name, (False, 0, {}), why)
        if encoded:
            self.expect("is_encoder_decoder", [True], "this family has an encoder.")
        self.known({*INERT, *inert})
        if self.faults:
            raise together(ConfigError, self.faults)

    def _value(self, name: str, default: Any) -> Any:
        value = self.raw(name)
        return default if value is None else value

    def _fault(self, name: str, value: Any, allowed: str, instead: Kind) -> Kind:
        if value is None:
            self.refuse(f"{self.prefix}{name} is missing.")
        else:
            self.refuse(f"{self.prefix}{name} must be {allowed}, not {_short(value)}.")
        return instead


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
