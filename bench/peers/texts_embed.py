"""MiniLM embeds sentences: by Loquent, CTranslate2, ONNX Runtime and transformers.

Those that need it get batches of 64 sentences of about the same length, cut into tokens by the same
tokenizer, which is part of the time.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from peers.texts_home import HOME

BATCH = 64
REFERENCE = "transformers f32"
Embed = Callable[[Sequence[str]], np.ndarray]


def sentences(data: Path, count: int) -> list[str]:
    """English captions of Multi30k, in real lengths."""
    return (data / "multi30k" / "train.en").read_text(encoding="utf-8").splitlines()[:count]


def near(made: np.ndarray, reference: np.ndarray) -> str:
    """The least and the mean cosine of embeddings (N, D) of unit length with the reference's."""
    cosines = (made * reference).sum(-1)
    return f"cosine {cosines.min():.5f} at least, {cosines.mean():.5f} in the mean"


def batched(sentences: Sequence[str], embed: Embed) -> np.ndarray:
    """Embeddings in the order of the sentences, by batches of those of about the same length."""
    order = sorted(range(len(sentences)), key=lambda at: len(sentences[at]))
    made: dict[int, np.ndarray] = {}
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        made.update(zip(places, embed([sentences[at] for at in places]), strict=True))
    return np.stack([made[at] for at in range(len(sentences))])


def folder() -> str:
    """MiniLM's files."""
    from loquent.checkpoints import hub  # noqa: PLC0415  # so for all that only one system needs

    return str(hub.resolve("minilm"))


def rows(sentences: Sequence[str], tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Padded ids and which of them count, (B, T) each."""
    tokenizer.enable_padding()
    tokenizer.enable_truncation(256)
    found = tokenizer.encode_batch(list(sentences))
    return np.array([each.ids for each in found]), np.array([each.attention_mask for each in found])


def pooled(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of states (B, T, D), of unit length (B, D)."""
    made = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    unit: np.ndarray = made / np.linalg.norm(made, axis=-1, keepdims=True)
    return unit


def fast() -> Any:
    """The tokenizer that all the others share."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    return Tokenizer.from_file(f"{folder()}/tokenizer.json")


def ours(bits: int) -> Callable[[int], Embed]:
    """Loquent's native runtime."""

    def make(threads: int) -> Embed:
        import os  # noqa: PLC0415

        os.environ["LOQUENT_THREADS"] = str(threads)
        import loquent  # noqa: PLC0415

        return loquent.open("minilm", bits=bits).embed  # type: ignore[arg-type]

    return make


def transformers(threads: int) -> Embed:
    """transformers on torch, f32."""
    import torch  # noqa: PLC0415
    from transformers import BertModel  # noqa: PLC0415

    torch.set_num_threads(threads)
    model, tokenizer = BertModel.from_pretrained(folder()).eval(), fast()

    def embed(some: Sequence[str]) -> np.ndarray:
        ids, mask = rows(some, tokenizer)
        with torch.inference_mode():
            states = model(torch.from_numpy(ids), torch.from_numpy(mask)).last_hidden_state
        return pooled(states.numpy(), mask)

    return lambda sentences: batched(sentences, embed)


def ctranslate2(kind: str) -> Callable[[int], Embed]:
    """CTranslate2's encoder."""

    def make(threads: int) -> Embed:
        import ctranslate2  # noqa: PLC0415

        target = HOME / f"minilm-ct2-{ctranslate2.__version__}"
        if not target.exists():
            ctranslate2.converters.TransformersConverter(folder()).convert(str(target))
        encoder = ctranslate2.Encoder(str(target), compute_type=kind, intra_threads=threads)
        tokenizer = fast()

        def embed(some: Sequence[str]) -> np.ndarray:
            ids, mask = rows(some, tokenizer)
            given = [row[:count] for row, count in zip(ids.tolist(), mask.sum(1), strict=True)]
            states = np.array(encoder.forward_batch(given).last_hidden_state)
            return pooled(states, mask[:, : states.shape[1]])

        return lambda sentences: batched(sentences, embed)

    return make


def onnx(bits: int) -> Callable[[int], Embed]:
    """ONNX Runtime: exported by torch, in 8 bits by its own dynamic quantization."""

    def make(threads: int) -> Embed:
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(exported(bits), options)
        tokenizer = fast()

        def embed(some: Sequence[str]) -> np.ndarray:
            ids, mask = rows(some, tokenizer)
            given = {"ids": ids.astype(np.int64), "mask": mask.astype(np.int64)}
            return pooled(session.run(["states"], given)[0], mask)

        return lambda sentences: batched(sentences, embed)

    return make


def exported(bits: int) -> str:
    """The ONNX file, made once."""
    whole = HOME / "minilm.onnx"
    if not whole.exists():
        import torch  # noqa: PLC0415
        from transformers import BertModel  # noqa: PLC0415

        class States(torch.nn.Module):  # its call takes more than ids and mask otherwise
            def __init__(self) -> None:
                super().__init__()
                self.model = BertModel.from_pretrained(folder(), attn_implementation="eager")

            def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
                states: torch.Tensor = self.model(input_ids=ids, attention_mask=mask)[0]
                return states

        example = torch.ones(2, 9, dtype=torch.long)
        axes = {name: {0: "texts", 1: "tokens"} for name in ("ids", "mask", "states")}
        torch.onnx.export(
            States().eval(), (example, example), str(whole), input_names=["ids", "mask"],
            output_names=["states"], dynamic_axes=axes, dynamo=False,
        )  # fmt: skip
    small = whole.with_suffix(".int8.onnx")
    if bits == 8 and not small.exists():
        from onnxruntime.quantization import quantize_dynamic  # noqa: PLC0415

        quantize_dynamic(whole, small)
    return str(small if bits == 8 else whole)


SYSTEMS: Mapping[str, Callable[[int], Embed]] = {
    REFERENCE: transformers,
    "loquent f32": ours(32),
    "ctranslate2 f32": ctranslate2("float32"),
    "onnxruntime f32": onnx(32),
    "loquent int8": ours(8),
    "ctranslate2 int8": ctranslate2("int8"),
    "onnxruntime int8": onnx(8),
}
