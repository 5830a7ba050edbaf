"""Whisper computes what transformers computes, from every kind of file; mistakes are noticed."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from loquent.architecture import ModelConfig
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.families.whisper import WHISPER
from loquent.checkpoints.families.whisper_files import CONVERTED, ORIGINAL
from loquent.checkpoints.translate import spell, translate
from loquent.errors import CheckpointError, UserError
from loquent.model.model import load
from loquent.model.names import shapes

# All of their arithmetic is double here; only the order of sums differs.
EXACT = 1e-12
SMALL = {
    "vocab_size": 97, "num_mel_bins": 10, "d_model": 32, "encoder_layers": 2, "decoder_layers": 3,
    "encoder_attention_heads": 4, "decoder_attention_heads": 2, "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 48, "max_source_positions": 70, "max_target_positions": 150,
    "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 2, "decoder_start_token_id": 3,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "whisper": SMALL,
    "more bins": SMALL | {"num_mel_bins": 128},
    "other": SMALL | {"activation_function": "relu", "decoder_attention_heads": 8},
}


class StateTensors:
    """Tensors with the face of those in files."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = dict(state)

    def __iter__(self) -> Any:
        return iter(self.state)

    def __contains__(self, name: object) -> bool:
        return name in self.state

    def __getitem__(self, name: str) -> NDArray[Any]:
        made: NDArray[Any] = self.state[name]
        return made

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.state[name].shape)


class Pair:
    """A network of transformers in double precision, moved from how it begins, and ours."""

    def __init__(self, case: str) -> None:
        torch.manual_seed(0)
        config = transformers.WhisperConfig(**CASES[case])
        made = transformers.WhisperForConditionalGeneration._from_config(
            config, attn_implementation="sdpa"
        )
        self.model = made.double().eval()
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        self.settings = self.model.config.to_dict()
        self.config: ModelConfig = WHISPER.config(self.settings)
        self.state = StateTensors({n: t.numpy() for n, t in self.model.state_dict().items()})
        read, _ = translate(self.state, WHISPER.table(self.config), self.config, WHISPER.prefix)
        self.weights = {name: np.array(read[name]) for name in read}
        generator = torch.Generator().manual_seed(1)
        bins, frames = config.num_mel_bins, 2 * config.max_source_positions
        self.sound = torch.randn(3, bins, frames, generator=generator, dtype=torch.float64)
        self.ids = torch.randint(3, 97, (3, 137), generator=generator)
        with torch.no_grad():
            self.theirs = self.model(input_features=self.sound, decoder_input_ids=self.ids).logits

    def ours(self, config: ModelConfig | None = None, **changed: NDArray[Any]) -> Any:
        config, weights = config or self.config, {**self.weights, **changed}
        return load(config, {name: weights[name] for name in shapes(config)}, dtype=torch.float64)

    def distance(self, model: Any) -> float:
        """Largest difference of any logit, by the deviation of all."""
        lengths = torch.tensor([self.sound.shape[2]] * 3)
        told = model(self.ids, torch.tensor([137] * 3), self.sound, lengths).detach()
        return float((told - self.theirs).abs().max() / self.theirs.std())


@pytest.fixture(scope="module")
def make() -> Callable[[str], Pair]:
    made: dict[str, Pair] = {}
    return lambda case: made.get(case) or made.setdefault(case, Pair(case))


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, make: Callable[[str], Pair]) -> Pair:
    return make(request.param)


def test_logits_are_those_of_transformers(pair: Pair) -> None:
    assert float(pair.theirs.std()) > 0.1  # logits that say something
    assert pair.distance(pair.ours()) <= EXACT


def changed(pair: Pair, stack: str, **settings: Any) -> ModelConfig:
    return replace(pair.config, **{stack: replace(getattr(pair.config, stack), **settings)})


def rolled(pair: Pair, name: str, axis: int) -> Any:
    return pair.ours(**{name: np.roll(pair.weights[name], 1, axis)})


def swapped(pair: Pair, one: str, other: str) -> Any:
    return pair.ours(**{one: pair.weights[other], other: pair.weights[one]})


CROSS, FRONT = "decoder.layers.1.cross.", "encoder.front.1."
MUTANTS: dict[str, Callable[[Pair], Any]] = {
    "kernels are turned round": lambda p: p.ours(
        **{f"{FRONT}weight": p.weights[f"{FRONT}weight"][:, :, ::-1].copy()}
    ),
    "inputs of a kernel are shifted": lambda p: rolled(p, "encoder.front.0.weight", 1),
    "no bias of a convolution": lambda p: p.ours(
        **{f"{FRONT}bias": np.zeros_like(p.weights[f"{FRONT}bias"])}
    ),
    "another activation of the front": lambda p: p.ours(
        changed(p, "encoder", front=replace(p.config.encoder.front, activation="gelu_tanh"))
    ),
    "another activation": lambda p: p.ours(changed(p, "decoder", activation="gelu_tanh")),
    "places are shifted": lambda p: rolled(p, "encoder.positions.weight", 0),
    "places of the decoder are shifted": lambda p: rolled(p, "decoder.positions.weight", 0),
    "values are keys": lambda p: swapped(p, f"{CROSS}key.weight", f"{CROSS}value.weight"),
    "norms are swapped": lambda p: swapped(
        p, "decoder.layers.1.cross_norm.weight", "decoder.layers.1.attention_norm.weight"
    ),
    "norms stand behind": lambda p: p.ours(changed(p, "encoder", norm_place="post")),
    "no last norm": lambda p: p.ours(changed(p, "encoder", final_norm=False)),
    "more heads": lambda p: p.ours(changed(p, "decoder", heads=4)),
    "a causal encoder": lambda p: p.ours(changed(p, "encoder", causal=True)),
    "another epsilon": lambda p: p.ours(changed(p, "encoder", norm_epsilon=1e-6)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_deliberate_mistake_is_noticed(mutant: str, make: Callable[[str], Pair]) -> None:
    pair = make("whisper")
    assert pair.distance(MUTANTS[mutant](pair)) > 1e-7


def test_a_bias_of_keys_changes_nothing(make: Callable[[str], Pair]) -> None:
    """Which is why a family may be without it."""
    pair = make("whisper")
    keys = {n: np.ones_like(w) for n, w in pair.weights.items() if n.endswith("key.bias")}
    assert len(keys) == 8
    assert pair.distance(pair.ours(**keys)) <= EXACT


def test_a_folder_goes_both_ways(make: Callable[[str], Pair], tmp_path: Path) -> None:
    pair = make("whisper")
    theirs = pair.model.float()
    theirs.generation_config.suppress_tokens = [4, 9]
    theirs.generation_config.begin_suppress_tokens = [5]
    theirs.generation_config.alignment_heads = [[0, 1], [2, 0]]
    theirs.save_pretrained(tmp_path / "theirs")
    pair.model.double()
    opened = Checkpoint.open(tmp_path / "theirs")
    assert opened.config == pair.config
    speech = opened.generation.speech
    assert speech is not None
    assert (speech.suppressed, speech.suppressed_first) == ((4, 9), (5,))
    assert speech.alignment_heads == ((0, 1), (2, 0))
    opened.save(tmp_path / "ours")
    again = Checkpoint.open(tmp_path / "ours")
    assert (again.config, again.generation) == (opened.config, opened.generation)
    assert all(np.array_equal(again.weights[name], opened.weights[name]) for name in opened.weights)
    kind = transformers.WhisperForConditionalGeneration
    model, found = kind.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(found.values())
    with torch.no_grad():
        told = model(input_features=pair.sound.float(), decoder_input_ids=pair.ids).logits
    assert float((told - pair.theirs).abs().max()) < 1e-3


def converted(pair: Pair, **changes: Any) -> bytes:
    """The network as CTranslate2 stores it, in single precision."""
    theirs, _ = spell(pair.weights, CONVERTED, pair.config)
    scalars: dict[str, tuple[str, int, int]] = {
        "encoder/num_heads": ("h", 2, 4),
        "decoder/num_heads": ("h", 2, 2),
        "decoder/pre_norm": ("b", 1, 1),
        "decoder/activation": ("b", 1, 3),
        **changes,
    }
    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<I", 3)]
    parts.append(struct.pack("<I", len(theirs) + len(scalars)))
    for name in theirs:
        spelled = name.replace(".layer.", "/layer_").replace(".", "/")
        array = np.ascontiguousarray(theirs[name], np.float32)
        head = struct.pack(f"<B{array.ndim}IBI", array.ndim, *array.shape, 0, array.nbytes)
        parts += [text(spelled), head, array.tobytes()]
    for name, (code, kind, value) in scalars.items():
        raw = struct.pack(f"<{code}", value)
        parts += [text(name), struct.pack("<BBI", 0, kind, len(raw)), raw]
    parts += [struct.pack("<I", 1), text("decoder/projection/weight")]
    parts.append(text("decoder/embeddings/weight"))
    return b"".join(parts)


def text(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def test_what_ctranslate2_has_converted_is_read(
    make: Callable[[str], Pair], tmp_path: Path
) -> None:
    pair = make("whisper")
    (tmp_path / "model.bin").write_bytes(converted(pair))
    settings = '{"suppress_ids": [7], "suppress_ids_begin": [8], "alignment_heads": [[1, 1]]}'
    (tmp_path / "config.json").write_text(settings)
    opened = Checkpoint.open(tmp_path)
    assert opened.config == pair.config
    speech = opened.generation.speech
    assert speech is not None
    assert (speech.suppressed, speech.suppressed_first) == ((7,), (8,))
    assert speech.alignment_heads == ((1, 1),)
    for name, weight in pair.weights.items():
        assert np.array_equal(opened.weights[name], weight.astype(np.float32)), name


def test_a_damaged_file_is_refused_with_its_place(
    make: Callable[[str], Pair], tmp_path: Path
) -> None:
    """Wherever it is cut off, and whichever byte of its beginning is changed."""
    whole = converted(make("whisper"))
    path = tmp_path / "model.bin"
    cuts = [5, 19, 22, 30, 60, len(whole) // 2, len(whole) - 9, len(whole) - 1]
    for size in cuts:
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            Checkpoint.open(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="left over"):
        Checkpoint.open(path)
    for at in range(0, 90):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            opened = Checkpoint.open(path)
        except UserError:
            continue
        assert shapes(opened.config)  # such as another revision


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"decoder/activation": ("b", 1, 0)}, "activation"),
        ({"encoder/pre_norm": ("b", 1, 0)}, "pre_norm"),
        ({"encoder/num_heads": ("h", 2, 0)}, "heads"),
        ({"decoder/alibi": ("b", 1, 1)}, "alibi"),
    ],
)
def test_other_networks_are_refused(
    make: Callable[[str], Pair], tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    (tmp_path / "model.bin").write_bytes(converted(make("whisper"), **changes))
    with pytest.raises(UserError, match=told):
        Checkpoint.open(tmp_path / "model.bin")


def test_older_versions_are_named(make: Callable[[str], Pair], tmp_path: Path) -> None:
    whole = converted(make("whisper"))
    (tmp_path / "model.bin").write_bytes(struct.pack("<I", 5) + whole[4:])
    with pytest.raises(CheckpointError, match="version 5"):
        Checkpoint.open(tmp_path / "model.bin")


def test_the_authors_own_files_are_read(tmp_path: Path) -> None:
    """A pickled file, whose heads are 64 wide in every network of theirs."""
    torch.manual_seed(0)
    wide = {"d_model": 128, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    settings = transformers.WhisperConfig(**SMALL | wide).to_dict()
    config = WHISPER.config(settings)
    generator = np.random.default_rng(0)
    weights: dict[str, NDArray[Any]] = {
        name: generator.normal(size=shape).astype(np.float32) * (not name.endswith("key.bias"))
        for name, shape in shapes(config).items()
    }
    theirs, _ = spell(weights, ORIGINAL, config)
    state = {name: torch.from_numpy(theirs[name]) for name in theirs}
    torch.save({"dims": {"n_mels": 10}, "model_state_dict": state}, tmp_path / "tiny.pt")
    with pytest.raises(CheckpointError, match="pickled"):
        Checkpoint.open(tmp_path / "tiny.pt")
    opened = Checkpoint.open(tmp_path / "tiny.pt", allow_pickle=True)
    assert opened.config == config
    for name, weight in weights.items():
        assert np.array_equal(opened.weights[name], weight), name
