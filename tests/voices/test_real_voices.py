"""The real voices are their ONNX originals, run in ONNX Runtime, and what they say is right."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from loquent.audio.sound import Sound
from loquent.checkpoints.files.onnx_program import open_program
from loquent.evaluation.speaking import gap_between
from loquent.graphs.operators import OPERATORS
from loquent.graphs.program import Attributes
from loquent.graphs.runner import Runner, folded
from loquent.voices.opening import open_voice
from loquent.voices.speaking import speak
from loquent.voices.spectral import FRAMES, PARTS, SpectralVoice, open_spectral
from loquent.voices.voice import Manner
from loquent.voices.waves import Parts, mixed

pytestmark = [pytest.mark.weights]

SAID = [
    "twˈɛntiθɹˌi nˈu ɹˈulz kˈɔst fˈɔɹ dˈɑləɹz ænd fˈɪfti sˈɛnts.",
    "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˈOvəɹ ðə lˈAzi dˈɔɡ, ænd ˌI kˈænt bəlˈiv ɪts tɹˈu!",
    "nˈO.",
]


def session(model: Any) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    given = str(model) if isinstance(model, Path) else model.SerializeToString()
    return runtime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def ids_of(voice: SpectralVoice, phonemes: str) -> np.ndarray:
    return np.array([[0, *(voice.ids[each] for each in phonemes), 0]])


def in_floats(path: Path) -> onnx.ModelProto:
    """The file without rounded activations: each product of whole numbers is one of floats."""
    model = onnx.load(path)
    graph = model.graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            continue
        if node.op_type == "MatMulInteger":
            whole, weight, _, zero = node.input
            source = makers[whole].input[0]
            scale = values[weight.removesuffix("_quantized") + "_scale"]
            floats = (values[weight].astype(np.float32) - values[zero]) * scale
            graph.initializer.append(numpy_helper.from_array(floats, f"{node.name} floats"))
            node.op_type = "MatMul"
            del node.input[:]
            node.input.extend([source, f"{node.name} floats"])
    for node in graph.node:  # the scales of what is not rounded any more
        if node.op_type == "Mul" and any(each.endswith("_scale") for each in node.input):
            node.op_type = "Identity"
            del node.input[:]
            node.input.append("one")
    graph.initializer.append(numpy_helper.from_array(np.float32(1), "one"))
    return model


@pytest.mark.parametrize("phonemes", SAID)
def test_the_spectral_voice_is_its_original_in_floats(hibari: Path, phonemes: str) -> None:
    voice = open_spectral(hibari, "hibari", "float")
    given = {"ids": ids_of(voice, phonemes), "speed": np.ones(1, np.float32)}
    ours = voice.runner.run(given)
    theirs = dict(
        zip(PARTS, session(in_floats(hibari / "hibari.onnx")).run(PARTS, given), strict=True)
    )
    for part in PARTS:
        assert ours[part].shape == theirs[part].shape
    np.testing.assert_allclose(ours["f0"], theirs["f0"], atol=5e-3)  # of hundreds of hertz
    for part in PARTS[:-1]:
        np.testing.assert_allclose(ours[part], theirs[part], atol=3e-4)
    first, second = waves(ours), waves(theirs)
    np.testing.assert_allclose(first, second, atol=5e-4)  # the pitch adds up to a phase
    np.testing.assert_allclose(waves({**ours, "f0": theirs["f0"]}), second, atol=1e-4)


def waves(made: dict[str, np.ndarray]) -> np.ndarray:
    """What is heard, with the same noise each time."""
    parts = Parts(*(made[part][0].T for part in PARTS))
    return mixed(parts, FRAMES, np.random.default_rng(3))


def whole_product(
    x: np.ndarray, weight: np.ndarray, zero: np.ndarray, weight_zero: np.ndarray
) -> np.ndarray:
    """As ONNX defines it: where AVX2 has no VNNI, ONNX Runtime's sums of two products saturate."""
    return (x.astype(np.int64) - zero) @ (weight.astype(np.int64) - weight_zero)


def test_every_step_is_that_of_the_original_on_its_own_inputs(hibari: Path) -> None:
    """Rounding to 8 bits makes small differences large, so each step reads what it did there."""
    program = folded(open_program(hibari / "hibari.onnx"))
    voice = open_voice(str(hibari))
    assert isinstance(voice, SpectralVoice)
    given = {"ids": ids_of(voice, SAID[0]), "speed": np.ones(1, np.float32)}
    model = onnx.load(hibari / "hibari.onnx")
    known = {each.name for each in model.graph.output}
    names = [name for step in program.steps for name in step.outputs if name]
    model.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in names if name not in known
    )
    found = session(model).run(names, given)
    values = {**program.constants, **given, **dict(zip(names, found, strict=True))}
    far: dict[str, float] = {}
    for step in program.steps:
        operator = OPERATORS[step.kind](Attributes(step.attributes))
        read = [values[name] if name else None for name in step.inputs]
        made = operator(*read)
        for name, value in zip(
            step.outputs, made if isinstance(made, tuple) else (made,), strict=False
        ):
            wanted = whole_product(*read) if step.kind == "MatMulInteger" else values[name]
            assert np.shape(value) == wanted.shape, step
            gap = np.abs(value.astype(np.float64) - wanted.astype(np.float64))
            if step.kind == "DynamicQuantizeLinear" and wanted.dtype == np.uint8:
                assert gap.max(initial=0) <= 1
                assert (gap > 0).mean() < 1e-3 if gap.size > 1 else not gap.any()
                continue
            size = max(np.abs(wanted).max(initial=0), 1)
            far[step.kind] = max(far.get(step.kind, 0), float(gap.max(initial=0) / size))
    assert {kind: gap for kind, gap in far.items() if gap > 5e-6} == {}


def test_in_8_bits_it_is_no_farther_from_floats_than_the_original(hibari: Path) -> None:
    program = open_program(hibari / "hibari.onnx")
    exact, rounded = Runner(program), Runner(program, precision="int8")
    original = session(hibari / "hibari.onnx")
    voice = open_voice(str(hibari))
    assert isinstance(voice, SpectralVoice)
    gaps = []
    for phonemes in SAID[:2]:
        given = {"ids": ids_of(voice, phonemes), "speed": np.ones(1, np.float32)}
        theirs = dict(zip(PARTS, original.run(PARTS, given), strict=True))
        meant = Sound(waves(exact.run(given)), 24_000)
        gaps.append(
            [
                gap_between(Sound(waves(made), 24_000), meant).cepstral_decibels
                for made in (rounded.run(given), theirs)
            ]
        )
    ours, other = np.mean(gaps, 0)
    assert ours < 0.6
    assert ours < 1.5 * other


def test_vits_is_its_original(joe: Path, hibari: Path) -> None:
    path = joe / "en_US-joe-medium.onnx"
    voice = open_voice("joe")
    ids = [1]
    for each in "twˈɛnti θɹˈiː nˈuː ɹˈuːlz.":
        ids += [*voice.settings.phoneme_id_map[each], 0]  # type: ignore[attr-defined]
    given = {
        "input": np.array([[*ids, 2]]),
        "input_lengths": np.array([len(ids) + 1]),
        "scales": np.array([0, 1.1, 0], np.float32),
    }
    ours = Runner(open_program(path)).run(given)["output"]
    theirs = session(path).run(None, given)[0]
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.abs(theirs).max() > 0.1


def test_vits_is_its_original_with_the_same_noise(joe: Path) -> None:
    """Where the original draws, both read the same given noise."""
    path = joe / "en_US-joe-medium.onnx"
    model, program = onnx.load(path), open_program(path)
    drawn = [node for node in model.graph.node if node.op_type == "RandomNormalLike"]
    assert len(drawn) == 2
    names = [node.output[0] for node in drawn]
    for node in drawn:
        model.graph.node.remove(node)
        model.graph.input.append(helper.make_tensor_value_info(node.output[0], 1, None))
    ids = np.array([[1, *([20, 0, 61, 0] * 12), 2]])
    given: dict[str, np.ndarray] = {
        "input": ids,
        "input_lengths": np.array([ids.shape[1]]),
        "scales": np.array([0.667, 1, 0.8], np.float32),
    }
    random = np.random.default_rng(5)
    wanted = Runner(noted(program, names), fuse=False).run(given, random)
    given |= {name: wanted[name] for name in names}
    theirs = session(model).run(["output"], given)[0]
    np.testing.assert_allclose(wanted["output"], theirs, atol=1e-4)


def noted(program: Any, names: Sequence[str]) -> Any:
    """The program with some of its values as outputs, too."""
    return type(program)(
        program.constants, program.steps, program.inputs, (*program.outputs, *names), program.where
    )


def test_both_voices_speak(hibari: Path, joe: Path) -> None:
    for name, rate in (("hibari", 24_000), ("joe", 22_050)):
        made = speak("Twenty-three new rules cost $4.50. He read the book.", voice=name)
        assert made.sound.rate == rate
        assert 4 < made.seconds < 9
        assert 0.1 < np.abs(made.sound.samples).max() < 1.2
    opened = open_voice("joe")
    assert len(opened.said("nˈoʊ.", Manner())) > 3_000
    with pytest.raises(Exception, match="cannot speak higher or lower"):
        speak("No.", voice=opened, pitch=1.2)
