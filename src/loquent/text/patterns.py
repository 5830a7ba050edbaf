"""How byte-level vocabularies cut a text into words before they merge, by name.

The patterns are part of each model's definition: its vocabulary fits only words cut in this way.
"""

from tokenizers import Regex, pre_tokenizers

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_START = r"[^\r\n\p{L}\p{N}]?"
_SYMBOLS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_PATHS = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"
_KANA_AND_HAN = "[一-龥぀-ゟ゠-ヿ]+"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = rf"{_CONTRACTIONS}|{_START}\p{{L}}+|\p{{N}}{{1,3}}|{_SYMBOLS}|{_REST}"
QWEN2 = rf"{_CONTRACTIONS}|{_START}\p{{L}}+|\p{{N}}|{_SYMBOLS}|{_REST}"
QWEN35 = (
    rf"{_CONTRACTIONS}|{_START}[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_REST}"
)
O200K = (
    rf"{_START}{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|{_START}{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    rf"|\p{{N}}{{1,3}}|{_PATHS}|{_REST}"
)
TEKKEN = rf"{_START}{_UPPER}*{_LOWER}+|{_START}{_UPPER}+{_LOWER}*|\p{{N}}|{_PATHS}|{_REST}"
DEEPSEEK = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_REST}"
)

# What one pre-tokenizer cuts after the other; a later pattern cuts only what an earlier one left.
Cuts = tuple[str, ...]

CUTS: dict[str, Cuts] = {
    "gpt2": (GPT2,),
    "digits": (r"\p{N}", GPT2),
    "cl100k": (CL100K,),
    "qwen2": (QWEN2,),
    "qwen35": (QWEN35,),
    "o200k": (O200K,),
    "tekken": (TEKKEN,),
    "deepseek3": (r"\p{N}{1,3}", _KANA_AND_HAN, DEEPSEEK),
    "falcon": (r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"),
    "bloom": (r" ?[^(\s|.,!?…。，、।۔،)]+",),
    "default": (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
}


def byte_level(cuts: Cuts) -> pre_tokenizers.PreTokenizer:
    """Cut a text by each pattern, then spell its bytes as characters."""
    steps = [pre_tokenizers.Split(Regex(cut), behavior="isolated", invert=False) for cut in cuts]
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)
    return pre_tokenizers.Sequence([*steps, last])
