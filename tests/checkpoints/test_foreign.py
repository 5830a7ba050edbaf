"""Networks of the transformers library behind our protocol: as it computes them, or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from loquent.checkpoints import foreign
from loquent.checkpoints.families import FAMILIES
from loquent.engine.foreign_network import ForeignNetwork
from loquent.engine.network import Tokens
from loquent.errors import CheckpointError, RequestError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def opt():
    config = transformers.OPTConfig(
        vocab_size=61, hidden_size=16, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, word_embed_proj_dim=16,
    )  # fmt: skip
    return transformers.OPTForCausalLM(config)


def neox():
    config = transformers.GPTNeoXConfig(
        vocab_size=61, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    return transformers.GPTNeoXForCausalLM(config)


def mamba():
    config = transformers.MambaConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=2, state_size=4
    )
    return transformers.MambaForCausalLM(config)


@pytest.fixture(params=[opt, neox, mamba], ids=["opt", "neox", "mamba"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = request.param()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    model.save_pretrained(tmp_path)
    return tmp_path


def opened(folder: Path) -> ForeignNetwork:
    values = json.loads((folder / "config.json").read_text())
    return ForeignNetwork(foreign.load(folder), foreign.outline(folder, values, FAMILIES))


def tokens(rows: list[tuple[int, int, list[int]]]) -> Tokens:
    """Of (row, first position, ids)."""
    flat = [(id, row, start + i) for row, start, ids in rows for i, id in enumerate(ids)]
    ids, owners, positions = (np.array(each, np.int32) for each in zip(*flat, strict=True))
    return Tokens(ids, owners, positions, np.ones(len(flat), np.bool_))


def theirs(network: ForeignNetwork, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        return network.model(torch.tensor([ids])).logits[0].numpy()


IDS = [int(id) for id in np.random.default_rng(1).integers(3, 61, 20)]


def test_step_by_step_and_in_chunks_is_as_all_at_once(folder: Path) -> None:
    network = opened(folder)
    memory = network.new_memory(3, 64)
    whole = theirs(network, IDS)
    first = network.step(memory, tokens([(0, 0, IDS), (2, 0, IDS[5:9])]))
    np.testing.assert_allclose(first[:20], whole, atol=1e-5)
    np.testing.assert_allclose(first[20:], theirs(network, IDS[5:9]), atol=1e-5)
    singly = [network.step(memory, tokens([(1, at, [id])]))[0] for at, id in enumerate(IDS)]
    np.testing.assert_allclose(singly, whole, atol=1e-5)
    more = network.step(memory, tokens([(2, 4, IDS[9:12]), (0, 20, [7])]))
    np.testing.assert_allclose(more[:3], theirs(network, IDS[5:12])[4:], atol=1e-5)
    np.testing.assert_allclose(more[3], theirs(network, [*IDS, 7])[-1], atol=1e-5)


def test_rows_are_copied_reordered_and_cleared(folder: Path) -> None:
    network = opened(folder)
    memory = network.new_memory(3, 64)
    network.step(memory, tokens([(0, 0, IDS[:4]), (1, 0, IDS[4:9])]))
    memory.copy(0, 2)
    memory.reorder([0, 1], [1, 0])
    now = network.step(memory, tokens([(0, 5, [8]), (1, 4, [8]), (2, 4, [9])]))
    for got, ids in zip(now, ([*IDS[4:9], 8], [*IDS[:4], 8], [*IDS[:4], 9]), strict=True):
        np.testing.assert_allclose(got, theirs(network, ids)[-1], atol=1e-5)
    memory.clear(0)
    again = network.step(memory, tokens([(0, 0, IDS)]))
    np.testing.assert_allclose(again, theirs(network, IDS), atol=1e-5)
    with pytest.raises(RequestError, match="no encoder"):
        memory.attach(0, [1])


def test_greedy_is_as_transformers_generates(folder: Path) -> None:
    network = opened(folder)
    memory = network.new_memory(1, 64)
    model = network.model
    expected = model.generate(
        torch.tensor([IDS[:5]]),
        max_new_tokens=20,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )[0, 5:].tolist()
    made, unread = [], IDS[:5]
    for _ in range(20):
        start = 5 + len(made) - len(unread)
        logits = network.step(memory, tokens([(0, start, unread)]))
        made.append(int(logits[-1].argmax()))
        unread = made[-1:]
    assert made == expected


def test_code_in_a_folder_is_never_run(tmp_path: Path) -> None:
    values = {"model_type": "opt", "auto_map": {"AutoModelForCausalLM": "evil.Model"}}
    with pytest.raises(CheckpointError, match="never run"):
        foreign.outline(tmp_path, values, FAMILIES)


def test_without_transformers_the_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"'opt'.*pip install 'loquent\[transformers\]'"):
        foreign.outline(tmp_path, {"model_type": "opt"}, FAMILIES)


def test_what_transformers_does_not_open_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such"}')
    with pytest.raises(CheckpointError, match="transformers does not open it"):
        foreign.outline(tmp_path, {"model_type": "no-such"}, FAMILIES)
    save_file({"weight": np.ones(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="transformers does not open it"):
        foreign.load(tmp_path)
    transformers.T5Config().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="have an encoder"):
        foreign.outline(tmp_path, {"model_type": "t5"}, FAMILIES)


def test_missing_weights_are_not_drawn_by_chance(tmp_path: Path) -> None:
    opt().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("model.decoder.layers.1.fc2.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"missing_keys.*layers\.1\.fc2\.weight"):
        foreign.load(tmp_path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    model = opt()
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickle"):
        foreign.load(tmp_path)


def test_an_index_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    opt().save_pretrained(tmp_path / "model", max_shard_size="5KB")
    index = tmp_path / "model" / "model.safetensors.index.json"
    values = json.loads(index.read_text())
    name = next(iter(values["weight_map"]))
    shard = values["weight_map"][name]
    (tmp_path / "model" / shard).rename(tmp_path / shard)
    values["weight_map"] = {
        each: f"../{file}" if file == shard else file for each, file in values["weight_map"].items()
    }
    index.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="is not a bare file name"):
        foreign.load(tmp_path / "model")
