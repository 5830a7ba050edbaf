"""Folders of families that are not executed here, through the optional transformers library."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from loquent.architecture import ModelConfig, StackConfig
from loquent.checkpoints.files.open import open_container
from loquent.errors import CheckpointError, nearest


def outline(folder: Path, values: Mapping[str, Any], families: Mapping[str, Any]) -> ModelConfig:
    """What can be told of a network that transformers executes: its vocabulary and its sizes.

    Raises CheckpointError where it brings code of its own or transformers is not installed.
    """
    kind = str(values.get("model_type"))
    if "auto_map" in values:
        raise CheckpointError(
            "names code of its own under 'auto_map', which is never run.", where=str(folder)
        )
    if find_spec("transformers") is None:
        raise CheckpointError(
            f"models of the family {kind!r} are not executed here. {nearest(kind, families)}",
            where=str(folder),
            fix="The transformers library may: pip install 'loquent[transformers]'",
        )
    from transformers import AutoConfig  # noqa: PLC0415  # takes a second; seldom needed

    try:
        theirs = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as fault:
        raise CheckpointError(
            f"transformers does not open it: {fault}", where=str(folder)
        ) from fault
    if theirs.is_encoder_decoder:
        raise CheckpointError(
            f"models of the family {kind!r} have an encoder, and are not executed here.",
            where=str(folder),
        )
    text = theirs.get_text_config()
    return ModelConfig(
        vocabulary=text.vocab_size,
        decoder=StackConfig(
            layers=text.num_hidden_layers,
            width=text.hidden_size,
            length=getattr(text, "max_position_embeddings", 0),
            heads=getattr(text, "num_attention_heads", 1),
            head_width=1,
            positions="none",
        ),
    )


def load(folder: Path, device: str = "cpu") -> Any:
    """The model as transformers makes it, in float32, for engine.foreign_network.

    Raises CheckpointError where transformers does not open it, or where its files are not safe to:
    transformers itself would follow an index out of the folder.
    """
    open_container(folder)
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as fault:
        raise CheckpointError(
            f"transformers does not open it: {fault}", where=str(folder)
        ) from fault
    model, found = loaded
    # transformers draws missing weights by chance and drops those left over, with a warning only.
    wrong = {kind: names for kind, names in found.items() if names}
    if wrong:
        raise CheckpointError(f"its weights do not fit: {wrong}.", where=str(folder))
    return model.eval().to(device)
