"""Which head a folder holds, and the names of its classes, as config.json tells them."""

from collections.abc import Mapping
from typing import Any

from loquent.architecture import ModelConfig, Output
from loquent.checkpoints.families.family import HeadForm
from loquent.checkpoints.families.keys import Keys
from loquent.errors import nearest

_MOST = 2**20  # classes
_SEVERAL = "multi_label_classification"
_ONE = "single_label_classification"


def read_head(keys: Keys, heads: Mapping[Output, HeadForm]) -> dict[str, Any]:
    """The output that the class in `architectures` stands for, with its labels.

    Without a class it is that of the body alone. A classifier with a single value, or one for which
    `problem_type` says so, tells of each label by itself.
    """
    given = keys.raw("architectures") or []
    name = str(given[0]) if isinstance(given, list) and given else heads["embedding"].architecture
    known = {
        spelling: output
        for output, form in heads.items()
        if output != "labels"
        for spelling in (form.architecture, *form.also)
    }
    if name not in known:
        advice = nearest(name, known)
        keys.refuse(f"the class {name!r} is not executed here. {advice}".strip())
        return {"output": "embedding"}
    output: Output = known[name]
    if output not in ("class", "tags"):
        return {"output": output}
    count, labels = _labels(keys)
    kind = keys.raw("problem_type")
    if kind not in (None, _ONE, _SEVERAL):
        keys.refuse(f"problem_type is {kind!r}: only classes and labels are told here.")
    if output == "class" and (kind == _SEVERAL or (kind is None and count == 1)):
        output = "labels"
    return {"output": output, "outputs": count, "labels": labels}


def _labels(keys: Keys) -> tuple[int, tuple[str, ...]]:
    """How many classes there are, and their names, unless they only repeat the numbers."""
    named, count = keys.raw("id2label"), keys.raw("num_labels")
    if named is None:
        return keys.whole("num_labels", _MOST, 2), ()
    if not isinstance(named, Mapping) or not named or len(named) > _MOST:
        keys.refuse("id2label must name the classes by their numbers.")
        return 1, ()
    numbers = {str(number): str(name) for number, name in named.items()}
    labels = [numbers.get(str(number)) for number in range(len(numbers))]
    told = [label for label in labels if label is not None]
    if len(told) < len(labels) or len(set(told)) < len(told) or count not in (None, len(labels)):
        keys.refuse("id2label must give each class from 0 on a name of its own.")
        return len(labels), ()
    plain = all(label == f"LABEL_{number}" for number, label in enumerate(told))
    return len(told), () if plain else tuple(told)


def write_head(config: ModelConfig) -> dict[str, Any]:
    """The inverse of `read_head`, but for `architectures`."""
    if config.output not in ("class", "labels", "tags"):
        return {}
    labels = config.labels or tuple(f"LABEL_{number}" for number in range(config.outputs))
    made: dict[str, Any] = {
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
    }
    if config.output != "tags":
        made["problem_type"] = _ONE if config.output == "class" else _SEVERAL
    return made
