"""RoBERTa (Liu et al. 2019), and built as it XLM-R (Conneau et al. 2020) and CamemBERT."""

from collections.abc import Mapping
from functools import partial

from loquent.checkpoints.families.bert import body, forms, read_config, write_values
from loquent.checkpoints.families.family import Again, Family, Rows, Rule, pairs

_PREFIX = "roberta."
_SKIPPED = 2  # places are counted from behind the number of the padding token, which is 1

_MASKED: Mapping[str, Rule] = {
    **pairs({"lm_head.dense": "head.hidden", "lm_head.layer_norm": "head.hidden_norm"}),
    "lm_head.bias": "head.bias",
    "lm_head.decoder.weight": "head.weight",
    "lm_head.decoder.bias": Again("head.bias"),
}
_TEXTS = {"classifier.dense": "head.hidden", "classifier.out_proj": "head"}


def _family(name: str, start: str, paper: str) -> Family:
    """The family whose classes' names start so."""
    heads = forms(start, masked=_MASKED, texts=_TEXTS)
    return Family(
        name=name,
        paper=paper,
        architecture=f"{start}Model",
        config=partial(read_config, heads=heads, skipped=_SKIPPED),
        values=partial(write_values, skipped=_SKIPPED),
        rules=body(_PREFIX, Rows("encoder.positions.weight", _SKIPPED)),
        prefix=_PREFIX,
        heads=heads,
    )


ROBERTA = _family("roberta", "Roberta", "Liu et al. 2019, RoBERTa: A Robustly Optimized BERT")
XLM_ROBERTA = _family(
    "xlm-roberta", "XLMRoberta", "Conneau et al. 2020, Unsupervised Cross-lingual Representation"
)
CAMEMBERT = _family("camembert", "Camembert", "Martin et al. 2020, CamemBERT: a Tasty French LM")
