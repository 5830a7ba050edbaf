"""Layers equal torch's own, in double precision."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from loquent.architecture import Activation, ModelConfig, StackConfig
from loquent.blocks import products
from loquent.blocks.attention import Attention
from loquent.blocks.feedforward import ACTIVATIONS
from loquent.blocks.mixers import mixer
from loquent.blocks.norms import norm
from loquent.errors import ConfigError
from loquent.model.model import Model

EXACT = 1e-12
WIDTH, HEADS, INNER = 24, 4, 50


@pytest.mark.parametrize("kind", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_transformer_is_torchs(kind: str, activation: str) -> None:
    torch.manual_seed(0)
    reference = (
        nn.Transformer(
            WIDTH, HEADS, 2, 2, INNER, 0.0, activation, norm_first=kind == "pre", batch_first=True
        )
        .double()
        .eval()
    )
    for parameter in reference.parameters():
        nn.init.normal_(parameter, std=0.3)
    inner = {
        "layers": 2, "width": WIDTH, "length": 0, "heads": HEADS, "feedforward": INNER,
        "attention_bias": True, "output_bias": True, "feedforward_bias": True,
        "activation": activation, "norm_place": kind, "positions": "none",
    }  # fmt: skip
    ours = Model(
        ModelConfig(
            vocabulary=30,
            encoder=StackConfig(causal=False, **inner),
            decoder=StackConfig(cross=True, **inner),
        )
    ).double()
    ours.load_state_dict(translated(reference, ours.encoder.table.weight.data), strict=True)
    source, target = torch.randint(30, (3, 110)), torch.randint(30, (3, 120))
    lengths = torch.tensor([110, 60, 7])
    padding = torch.arange(110) >= lengths[:, None]
    embed = ours.encoder.table
    wanted = reference(
        embed(source),
        embed(target),
        tgt_mask=torch.triu(torch.ones(120, 120, dtype=torch.bool), 1),
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )
    found = ours.hidden(target, None, source, lengths)
    assert float((found - wanted).abs().max()) < EXACT


def translated(reference: nn.Transformer, embedding: torch.Tensor) -> dict[str, torch.Tensor]:
    """The weights of torch's Transformer under our names."""
    made = {"encoder.embedding.weight": embedding}
    for stack in ("encoder", "decoder"):
        theirs = getattr(reference, stack)
        made |= {f"{stack}.norm.{name}": each for name, each in theirs.norm.state_dict().items()}
        for index, layer in enumerate(theirs.layers):
            made |= layer_weights(f"{stack}.layers.{index}", layer)
    return made


def layer_weights(here: str, layer: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of one of torch's layers of an encoder or a decoder under our names."""
    made = {}
    parts = [("attention", layer.self_attn, layer.norm1)]
    if isinstance(layer, nn.TransformerDecoderLayer):
        parts.append(("cross", layer.multihead_attn, layer.norm2))
    for name, attention, before in parts:
        for kind in ("weight", "bias"):
            fused = getattr(attention, f"in_proj_{kind}").chunk(3)
            for part, values in zip(("query", "key", "value"), fused, strict=True):
                made[f"{here}.{name}.{part}.{kind}"] = values
            made[f"{here}.{name}.output.{kind}"] = getattr(attention.out_proj, kind)
            made[f"{here}.{name}_norm.{kind}"] = getattr(before, kind)
    last = layer.norm3 if len(parts) == 2 else layer.norm2
    for kind in ("weight", "bias"):
        made[f"{here}.feedforward_norm.{kind}"] = getattr(last, kind)
        made[f"{here}.feedforward.up.{kind}"] = getattr(layer.linear1, kind)
        made[f"{here}.feedforward.down.{kind}"] = getattr(layer.linear2, kind)
    return made


@pytest.mark.parametrize("key_heads", [1, 2, 6])
def test_attention_is_its_formula(key_heads: int) -> None:
    torch.manual_seed(1)
    config = StackConfig(
        layers=1, width=18, length=0, heads=6, kv_heads=key_heads, head_width=5, positions="none"
    )
    attention = Attention(config).double()
    query = torch.randn(2, 6, 9, 5, dtype=torch.float64)
    keys, values = torch.randn(2, 2, key_heads, 11, 5, dtype=torch.float64)
    mask = torch.rand(2, 1, 9, 11) < 0.7
    mask[..., 0] = True
    bias = torch.randn(2, 6, 9, 11, dtype=torch.float64)
    for added in (None, bias):
        heads = []
        for head in range(6):
            shared = head * key_heads // 6
            scores = query[:, head] @ keys[:, shared].transpose(1, 2) / 5**0.5
            scores = scores if added is None else scores + added[:, head]
            weights = scores.masked_fill(~mask[:, 0], -torch.inf).softmax(-1)
            heads.append(weights @ values[:, shared])
        wanted = attention.output(torch.cat(heads, dim=-1))
        found = attention.gather(query, keys, values, mask, added)
        assert float((found - wanted).abs().max()) < EXACT


@pytest.mark.parametrize(("keys", "drops"), [(-1.0, True), (0.0, False), (0.5, True)])
def test_keys_are_dropped_by_their_own_share(keys: float, drops: bool) -> None:
    torch.manual_seed(1)
    config = StackConfig(
        layers=1, width=12, length=0, heads=2, positions="none", dropout=0.5, attention_dropout=keys
    )
    attention = Attention(config)
    query, own, values = torch.randn(3, 2, 2, 9, 6)
    told = [attention.train(each).gather(query, own, values, None, None) for each in (False, True)]
    assert torch.equal(*told) is not drops


def test_norms() -> None:
    x = torch.randn(3, 7, 12, dtype=torch.float64) * 5 + 2
    base = {"layers": 1, "width": 12, "length": 8, "norm_epsilon": 1e-3}
    layer = norm(StackConfig(**base)).double()
    centered = x - x.mean(-1, keepdim=True)
    wanted = centered / (centered.square().mean(-1, keepdim=True) + 1e-3).sqrt()
    assert float((layer(x) - wanted).abs().max()) < EXACT
    rms = norm(StackConfig(norm="rms", **base)).double()
    assert (
        float((rms(x) - x / (x.square().mean(-1, keepdim=True) + 1e-3).sqrt()).abs().max()) < EXACT
    )
    assert norm(StackConfig(norm_bias=False, **base)).bias is None


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("gelu", lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5))),
        (
            "gelu_tanh",
            lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))),
        ),
        ("silu", lambda x: x / (1 + torch.exp(-x))),
        ("tanh", torch.tanh),
    ],
)
def test_activations(name: Activation, formula) -> None:
    x = torch.linspace(-6, 6, 400, dtype=torch.float64)
    assert float((ACTIVATIONS[name](x) - formula(x)).abs().max()) < EXACT


def test_an_unknown_mixer_is_named() -> None:
    with pytest.raises(ConfigError, match=r"there is no mixer 'lsmt'\. Did you mean 'lstm'\?"):
        mixer(StackConfig(layers=1, width=8, length=8, mixer="lsmt"))


def test_layers_are_torchs_layers() -> None:
    """One encoder layer and one decoder layer on their own, both ways of placing norms."""
    for first in (False, True):
        torch.manual_seed(3)
        options = {"dropout": 0.0, "activation": "gelu", "norm_first": first, "batch_first": True}
        encoder = nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, **options).double().eval()
        decoder = nn.TransformerDecoderLayer(WIDTH, HEADS, INNER, **options).double().eval()
        for parameter in [*encoder.parameters(), *decoder.parameters()]:
            nn.init.normal_(parameter, std=0.3)
        inner = {
            "layers": 1, "width": WIDTH, "length": 0, "heads": HEADS, "feedforward": INNER,
            "attention_bias": True, "output_bias": True, "feedforward_bias": True,
            "norm_place": "pre" if first else "post", "positions": "none", "final_norm": False,
        }  # fmt: skip
        config = ModelConfig(
            vocabulary=30,
            encoder=StackConfig(causal=False, **inner),
            decoder=StackConfig(cross=True, **inner),
        )
        ours = Model(config).double()
        made = {"encoder.embedding.weight": ours.encoder.table.weight.data}
        made |= layer_weights("encoder.layers.0", encoder) | layer_weights(
            "decoder.layers.0", decoder
        )
        ours.load_state_dict(made)
        source, target = torch.randint(30, (3, 110)), torch.randint(30, (3, 120))
        memory = encoder(ours.encoder.table(source))
        assert float((ours.encode(source) - memory).abs().max()) < EXACT
        unseen = torch.triu(torch.ones(120, 120, dtype=torch.bool), 1)
        wanted = decoder(ours.encoder.table(target), memory, tgt_mask=unseen)
        assert float((ours.hidden(target, None, source) - wanted).abs().max()) < EXACT


def test_whole_batches_take_torchs_faster_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without padding, states, biases and documents, attention is given no mask."""
    calls = []

    def watched(*given, attn_mask, is_causal, **more):
        calls.append((attn_mask is not None, is_causal))
        return scaled_dot_product_attention(
            *given, attn_mask=attn_mask, is_causal=is_causal, **more
        )

    monkeypatch.setattr(products, "scaled_dot_product_attention", watched)
    inner = {"layers": 1, "width": 8, "length": 9, "heads": 2}
    both = ModelConfig(
        vocabulary=9,
        encoder=StackConfig(causal=False, **inner),
        decoder=StackConfig(cross=True, **inner),
    )
    model, ids, lengths = Model(both), torch.zeros(2, 5, dtype=torch.long), torch.tensor([5, 3])

    def made(*given) -> list[tuple[bool, bool]]:
        calls.clear()
        model(*given)
        return calls.copy()

    encoder, itself, across = (False, False), (False, True), (False, False)
    assert made(ids, None, ids) == [encoder, itself, across]
    assert made(ids, lengths, ids) == [encoder, itself, across]  # padding is behind
    full = torch.tensor([5, 5])
    assert made(ids, full, ids, full) == [encoder, itself, (True, False)]
    assert made(ids, full, ids, lengths) == [(True, False), itself, (True, False)]
    relative = StackConfig(**inner, positions="relative", relative_buckets=4, relative_distance=8)
    model = Model(ModelConfig(vocabulary=9, decoder=relative))
    assert made(ids) == [(True, False)]
    decoder = Model(ModelConfig(vocabulary=9, decoder=StackConfig(**inner)))
    model = decoder
    assert made(ids, None, None, None, None, torch.zeros_like(ids)) == [(True, False)]
