"""wav2vec 2.0 and HuBERT compute what transformers computes; mistakes are noticed."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from tokenizers.normalizers import Sequence

from loquent import open as open_lm
from loquent.architecture import ModelConfig
from loquent.audio.features import features, frames_of
from loquent.audio.sound import Sound
from loquent.audio.writing import write_sound
from loquent.checkpoints.checkpoint import Checkpoint
from loquent.checkpoints.families import FAMILIES
from loquent.checkpoints.translate import translate
from loquent.commands import run as command_line
from loquent.errors import CheckpointError, ConfigError
from loquent.model.model import load
from loquent.model.names import shapes
from loquent.tasks.speech_settings import Hearing
from loquent.tasks.transcribing import transcribe
from loquent.text.folder import open_tokenizer

# All of their arithmetic is double here; only the order of sums differs.
EXACT = 1e-12
LENGTHS = (1600, 1111, 400)  # samples
SMALL = {
    "vocab_size": 13, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 40, "conv_dim": [20, 20, 20, 20], "conv_kernel": [10, 3, 3, 2],
    "conv_stride": [5, 2, 2, 2], "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4, "pad_token_id": 0,
}  # fmt: skip
LARGE = SMALL | {
    "do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True,
}  # fmt: skip
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2 base": ("wav2vec2", SMALL),
    "wav2vec2 large": ("wav2vec2", LARGE),
    "hubert base": ("hubert", SMALL),
    "hubert large": ("hubert", LARGE),
    "hubert without a norm": ("hubert", SMALL | {"feat_proj_layer_norm": False}),
    "other": ("wav2vec2", LARGE | {
        "do_stable_layer_norm": False, "num_conv_pos_embeddings": 7, "layer_norm_eps": 1e-3,
        "hidden_act": "gelu_new", "feat_extract_activation": "relu", "pad_token_id": 12,
    }),
}  # fmt: skip
KINDS = {
    "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2ForCTC),
    "hubert": (transformers.HubertConfig, transformers.HubertForCTC),
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
        kind, values = CASES[case]
        described, network = KINDS[kind]
        made = network._from_config(
            described(**values, architectures=[network.__name__]), attn_implementation="sdpa"
        )
        self.model = made.double().eval()
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        family = FAMILIES[kind]
        self.config: ModelConfig = family.config(self.model.config.to_dict())
        state = StateTensors({n: t.numpy() for n, t in self.model.state_dict().items()})
        assert family.joined is not None
        read, self.ignored = translate(
            family.joined(state), family.table(self.config), self.config, family.prefix
        )
        self.weights = {name: np.array(read[name]) for name in read}
        generator = torch.Generator().manual_seed(1)
        self.sounds = [
            torch.randn(1, size, generator=generator, dtype=torch.float64) for size in LENGTHS
        ]
        with torch.no_grad():  # row by row: in a batch, padding changes the norm over time
            self.theirs = [self.model(input_values=each).logits[0] for each in self.sounds]

    def ours(self, config: ModelConfig | None = None, **changed: NDArray[Any]) -> Any:
        config, weights = config or self.config, {**self.weights, **changed}
        return load(config, {name: weights[name] for name in shapes(config)}, dtype=torch.float64)

    def distance(self, model: Any) -> float:
        """Largest difference of any logit of a ragged batch, by the deviation of all."""
        sounds = torch.zeros(len(LENGTHS), 1, max(LENGTHS), dtype=torch.float64)
        sounds.fill_(7.0)  # what padding holds is not looked at
        for row, each in enumerate(self.sounds):
            sounds[row, :, : each.shape[1]] = each
        with torch.no_grad():
            told = model(sounds, torch.tensor(LENGTHS))
        deviation = torch.cat(self.theirs).std()
        return max(
            float((told[row, : len(each)] - each).abs().max() / deviation)
            for row, each in enumerate(self.theirs)
        )


@pytest.fixture(scope="module")
def make() -> Callable[[str], Pair]:
    made: dict[str, Pair] = {}
    return lambda case: made.get(case) or made.setdefault(case, Pair(case))


@pytest.mark.parametrize("case", CASES)
def test_logits_of_a_ragged_batch_are_those_of_each_sound_alone(
    case: str, make: Callable[[str], Pair]
) -> None:
    pair = make(case)
    assert float(torch.cat(pair.theirs).std()) > 0.1  # logits that say something
    front = pair.config.encoder.front
    assert [front.states(size) for size in LENGTHS] == [len(each) for each in pair.theirs]
    assert pair.distance(pair.ours()) <= EXACT
    assert pair.config.blank == CASES[case][1]["pad_token_id"]


def test_a_padded_batch_of_the_large_form_is_that_of_transformers(make) -> None:
    pair = make("wav2vec2 large")
    sounds = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.float64)
    mask = torch.zeros(sounds.shape, dtype=torch.long)
    for row, each in enumerate(pair.sounds):
        sounds[row, : each.shape[1]], mask[row, : each.shape[1]] = each[0], 1
    with torch.no_grad():
        theirs = pair.model(input_values=sounds, attention_mask=mask).logits
        ours = pair.ours()(sounds[:, None], torch.tensor(LENGTHS))
    for row, each in enumerate(pair.theirs):
        difference = (theirs[row, : len(each)] - ours[row, : len(each)]).abs().max()
        assert float(difference / theirs.std()) <= EXACT


def stacked(pair: Pair, **settings: Any) -> ModelConfig:
    return replace(pair.config, encoder=replace(pair.config.encoder, **settings))


def fronted(pair: Pair, **settings: Any) -> ModelConfig:
    return stacked(pair, front=replace(pair.config.encoder.front, **settings))


def rolled(pair: Pair, name: str, axis: int) -> Any:
    return pair.ours(**{name: np.roll(pair.weights[name], 1, axis)})


def nothing(pair: Pair, name: str) -> Any:
    return pair.ours(**{name: np.zeros_like(pair.weights[name])})


PLACES = "encoder.position_convolution."
MUTANTS: dict[str, tuple[str, Callable[[Pair], Any]]] = {
    "kernels are turned round": (
        "wav2vec2 base",
        lambda p: p.ours(**{f"{PLACES}weight": p.weights[f"{PLACES}weight"][:, :, ::-1].copy()}),
    ),
    "places are shifted by one": ("wav2vec2 base", lambda p: rolled(p, f"{PLACES}weight", 2)),
    "no bias of places": ("wav2vec2 base", lambda p: nothing(p, f"{PLACES}bias")),
    "other groups": (
        "wav2vec2 base",
        lambda p: p.ours(
            stacked(p, position_groups=2),
            **{f"{PLACES}weight": np.repeat(p.weights[f"{PLACES}weight"], 2, 1)},
        ),
    ),
    "a norm of states, not over time": (
        "wav2vec2 base",
        lambda p: p.ours(
            fronted(p, norms="all"),
            **{
                f"encoder.front.norms.{n}.{kind}": p.weights[f"encoder.front.norms.0.{kind}"]
                for n in range(4)
                for kind in ("weight", "bias")
            },
        ),
    ),
    "no norm of the front": ("wav2vec2 base", lambda p: p.ours(fronted(p, norms="none"))),
    "no norm before the projection": (
        "wav2vec2 base",
        lambda p: p.ours(fronted(p, projection_norm=False)),
    ),
    "no bias of the front": ("wav2vec2 large", lambda p: p.ours(fronted(p, bias=False))),
    "another activation of the front": (
        "wav2vec2 base",
        lambda p: p.ours(fronted(p, activation="gelu_tanh")),
    ),
    "norms stand before": ("wav2vec2 base", lambda p: p.ours(stacked(p, norm_place="pre"))),
    "norms stand behind": ("wav2vec2 large", lambda p: p.ours(stacked(p, norm_place="post"))),
    "no last norm": ("wav2vec2 large", lambda p: p.ours(stacked(p, final_norm=False))),
    "no first norm": ("wav2vec2 base", lambda p: p.ours(stacked(p, embedding_norm=False))),
    "more heads": ("hubert base", lambda p: p.ours(stacked(p, heads=8))),
    "causal": ("hubert base", lambda p: p.ours(stacked(p, mixer="attention", positions="none"))),
    "another epsilon": ("hubert large", lambda p: p.ours(stacked(p, norm_epsilon=1e-6))),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_deliberate_mistake_is_noticed(mutant: str, make: Callable[[str], Pair]) -> None:
    case, change = MUTANTS[mutant]
    pair = make(case)
    assert pair.distance(change(pair)) > 1e-7


def test_padding_without_care_is_noticed(make: Callable[[str], Pair], monkeypatch: Any) -> None:
    """The norm over time, and the convolution of places, must not see padding."""
    for place in ("ChannelNorm", "PositionConvolution"):
        kind = getattr(__import__("loquent.blocks.speech", fromlist=[place]), place)
        right = kind.forward
        with monkeypatch.context() as patched:
            patched.setattr(kind, "forward", lambda self, x, _lengths, right=right: right(self, x))
            assert make("wav2vec2 base").distance(make("wav2vec2 base").ours()) > 1e-7


LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFG'"]


@pytest.fixture
def folder(make: Callable[[str], Pair], tmp_path: Path) -> Path:
    """What Hugging Face keeps of such a model."""
    made = tmp_path / "theirs"
    model = make("wav2vec2 base").model.float()
    model.save_pretrained(made)
    model.double()
    vocabulary = {piece: id for id, piece in enumerate(LETTERS)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json")).save_pretrained(made)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(made)
    (made / "tokenizer.json").unlink(missing_ok=True)
    return made


def test_letters_are_read_and_written_as_transformers_does(folder: Path) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = open_tokenizer(folder)
    assert isinstance(ours._library.normalizer, Sequence)
    for text in ("A BAD CAB", "FEED A BEE", "D'A"):
        ids = theirs(text).input_ids
        assert ours.encode(text) == ids
        assert ours.encode(text.lower()) == ids  # letters that it has in one case only
        assert ours.decode(ids) == text
    path = [0, 5, 5, 0, 5, 4, 4, 0, 6, 6, 0, 0, 6, 4]
    from_path = ours.decode([5, 5, 4, 6, 6, 4])
    assert from_path.strip() == theirs.decode(path)
    assert (ours.pad, ours.unknown) == (0, 3)
    assert ours.encode("Z") == [3]


def test_what_is_heard_of_a_sound_is_what_their_extractor_makes(folder: Path) -> None:
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    sound = np.random.default_rng(0).normal(0.1, 0.02, 5000).astype(np.float32)
    theirs = extractor(sound, sampling_rate=16_000, return_tensors="np").input_values
    front = Checkpoint.open(folder).config.encoder.front
    ours = features(sound, front)
    assert np.abs(ours - theirs).max() < 1e-4  # theirs is computed in single precision
    assert ours.shape == (1, frames_of(5000, front))
    plain = json.loads((folder / "preprocessor_config.json").read_text()) | {"do_normalize": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(plain))
    raw = features(sound, Checkpoint.open(folder).config.encoder.front)
    assert np.array_equal(raw[0], sound)


def test_a_folder_transcribes_greedily_and_by_beams(
    folder: Path, make: Callable[[str], Pair]
) -> None:
    pair = make("wav2vec2 base")
    lm = open_lm(folder)
    assert "positions by a convolution" in lm.executor.note
    sound = Sound(np.random.default_rng(2).normal(0, 0.1, 9000).astype(np.float32), 16_000)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    heard = extractor(sound.samples, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.no_grad():
        logits = pair.model(heard.double()).logits[0]
    theirs = transformers.AutoTokenizer.from_pretrained(folder).decode(logits.argmax(-1))
    theirs = re.sub("</?s>|<unk>", "", theirs)
    told = transcribe(lm, sound, Hearing(words=True))
    assert told.text.split() == theirs.split()
    assert len(told.text) > 10
    words = [word for segment in told.segments for word in segment.words]
    assert all(0 <= each.start_seconds < each.end_seconds <= 0.57 for each in words)
    assert transcribe(lm, sound, Hearing(beams=8)).text


def test_the_command_takes_a_folder_and_a_language_model(
    folder: Path, tiny_gpt2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 6000).astype(np.float32)
    write_sound(tmp_path / "noise.wav", Sound(noise, 16_000))
    given = ["transcribe", str(tmp_path / "noise.wav"), "-m", str(folder), "--all-sound", "-q"]
    told = []
    for further in ([], ["--beams", "4"], ["--lm", str(tiny_gpt2), "--lm-bonus", "40"]):
        assert command_line([*given, *further]) == 0
        told.append(capsys.readouterr().out.strip())
    assert all(told)
    assert len(told[2].split()) > len(told[0].split())  # each word is worth a lot
    assert command_line([*given, "--lm", str(folder)]) == 1
    assert "one that continues texts" in capsys.readouterr().err


def test_what_is_opened_is_saved_as_our_own(folder: Path, tmp_path: Path) -> None:
    opened = Checkpoint.open(folder)
    assert opened.card.ignored == {} or all(
        "masked_spec_embed" in name for name in opened.card.ignored
    )
    with pytest.raises(ConfigError, match="read, not written"):
        opened.save(tmp_path / "same")
    own = Checkpoint(**{**vars(opened), "card": replace(opened.card, family="loquent")})
    own.save(tmp_path / "own")
    again = Checkpoint.open(tmp_path / "own")
    assert again.config == opened.config
    assert all(np.array_equal(again.weights[n], opened.weights[n]) for n in opened.weights)


def test_older_names_of_the_positions_are_read_and_others_refused(make) -> None:
    pair = make("hubert base")
    state = {n: t.numpy() for n, t in pair.model.state_dict().items()}
    base = "hubert.encoder.pos_conv_embed.conv."
    old = dict(state)
    for new, name in (("original0", "weight_g"), ("original1", "weight_v")):
        old[f"{base}{name}"] = old.pop(f"{base}parametrizations.weight.{new}")
    family = FAMILIES["hubert"]

    def read(tensors: Mapping[str, Any]) -> Any:
        joined = family.joined(StateTensors(tensors))
        return translate(joined, family.table(pair.config), pair.config, family.prefix)[0]

    for name, each in read(old).items():
        assert np.array_equal(each, pair.weights[name])
    del old[f"{base}weight_g"]
    with pytest.raises(CheckpointError, match="pos_conv_embed"):
        read(old)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"architectures": ["Wav2Vec2ForPreTraining"]}, "no head that tells letters"),
        ({"add_adapter": True}, "adapters"),
        ({"conv_dim": [20, 24, 20, 20]}, "conv_dim differs"),
        ({"conv_stride": [5, 2, 2]}, "not of one length"),
        ({"conv_kernel": [10, 3, 3, 0]}, "conv_kernel must be"),
        ({"conv_pos_batch_norm": True}, "batch norm"),
        ({"pad_token_id": 13}, "blank 13"),
    ],
)
def test_what_is_not_executed_is_named(change: Mapping[str, Any], told: str, make) -> None:
    values = make("wav2vec2 base").model.config.to_dict() | change
    with pytest.raises(ConfigError, match=told):
        FAMILIES["wav2vec2"].config(values)
