"""Rotary positions and their scaling, as config.json spells them, old and new."""

import math
from typing import Any

from loquent.architecture import RotaryConfig, RotaryScaling
from loquent.checkpoints.families.keys import LENGTH, Keys

_SCALINGS: dict[str, RotaryScaling] = {
    "default": "none",
    "linear": "linear",
    "llama3": "llama3",
    "yarn": "yarn",
}


def read_rotary(keys: Keys, length: int) -> RotaryConfig:
    """Read `rope_parameters`, or `rope_theta` and `rope_scaling` as they stood before 2025."""
    old, new = keys.table("rope_scaling"), keys.table("rope_parameters")
    if old.values and new.values and _core(old) != _core(new):
        keys.refuse("rope_scaling and rope_parameters are both there and differ.")
    inner = new if new.values else old
    base = keys.number("rope_theta", 10000.0, most=1e12, least=1.0)
    base = inner.number("rope_theta", base, most=1e12, least=1.0)
    for each in (keys, inner):
        each.expect("partial_rotary_factor", [1], "every value of a head is rotated here.")
    word = "rope_type" if inner.values.get("rope_type") is not None else "type"
    scaling = inner.choice(word, _SCALINGS, "default")
    made: dict[str, Any] = {"base": base, "scaling": scaling}
    if scaling != "none":
        made["factor"] = inner.number("factor", None, least=1.0, most=1e6)
    if scaling in ("llama3", "yarn"):
        made["original_length"] = inner.whole("original_max_position_embeddings", LENGTH, length)
    if scaling == "llama3":
        made["low_factor"] = inner.number("low_freq_factor", None)
        made["high_factor"] = inner.number("high_freq_factor", None)
        if made["high_factor"] <= made["low_factor"]:
            inner.refuse("high_freq_factor must be above low_freq_factor.")
    if scaling == "yarn":
        made["fast"] = inner.number("beta_fast", 32.0) or 32.0
        made["slow"] = inner.number("beta_slow", 1.0) or 1.0
        made["magnitude"] = _magnitude(inner, made["factor"])
        inner.expect("truncate", [True], "YaRN's ramp stands on whole frequencies here.")
    inner.raw("type")  # transformers writes both spellings
    inner.known()
    return RotaryConfig(**made) if not keys.faults else RotaryConfig()


def write_rotary(rotary: RotaryConfig) -> dict[str, Any]:
    """The inverse of `read_rotary`, in both spellings, so that old readers open it too."""
    table: dict[str, Any] = {
        "rope_type": {ours: theirs for theirs, ours in _SCALINGS.items()}[rotary.scaling]
    }
    if rotary.scaling != "none":
        table["factor"] = rotary.factor
    if rotary.scaling in ("llama3", "yarn"):
        table["original_max_position_embeddings"] = rotary.original_length
    if rotary.scaling == "llama3":
        table["low_freq_factor"] = rotary.low_factor
        table["high_freq_factor"] = rotary.high_factor
    if rotary.scaling == "yarn":
        table["beta_fast"] = rotary.fast
        table["beta_slow"] = rotary.slow
        table["attention_factor"] = rotary.magnitude
    return {"rope_theta": rotary.base, "rope_parameters": {**table, "rope_theta": rotary.base}} | (
        {"rope_scaling": table} if rotary.scaling != "none" else {}
    )


def _core(keys: Keys) -> dict[str, Any]:
    """A table of scaling in the new spelling, without the base that the old one keeps outside."""
    core = {name: value for name, value in keys.values.items() if value is not None}
    core.setdefault("rope_type", core.pop("type", "default"))
    return {name: value for name, value in core.items() if name not in ("rope_theta", "type")}


def _magnitude(keys: Keys, factor: float) -> float:
    """YaRN's attention factor (Peng et al. 2023, §3.4), as given or from what is given."""
    given = keys.raw("attention_factor") is not None
    part, whole = (keys.number(name, 0.0) for name in ("mscale", "mscale_all_dim"))

    def grown(scale: float) -> float:
        return 0.1 * scale * math.log(factor) + 1.0 if factor > 1 else 1.0

    if given:
        return keys.number("attention_factor", None)
    return grown(part) / grown(whole) if part and whole else grown(1.0)
