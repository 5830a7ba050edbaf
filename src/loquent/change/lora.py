"""Low-rank updates of linear maps (LoRA; Hu et al. 2021): added, learned, merged, taken out."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

from loquent.blocks.dropout import Dropout
from loquent.change.freeze import Receipt, check, matching, receipt
from loquent.change.settings import LoraConfig
from loquent.errors import ConfigError, UserError, nearest, together
from loquent.model.adapter import Adapter, Update
from loquent.model.model import Model

__all__ = ["LoraConfig", "LowRankLinear", "adapter_of", "add_lora", "attach", "merge", "unmerge"]


class LowRankLinear(nn.Linear):
    """A linear map plus scale · B · A of the same input, which is dropped out in training."""

    def __init__(self, base: nn.Linear, rank: int, scale: float, dropout: float) -> None:
        """The map's own weights stay what they are; A and B begin at zero."""
        super().__init__(base.in_features, base.out_features, base.bias is not None, device="meta")
        self.weight = base.weight
        self.bias = base.bias
        self.scale = scale
        self.dropout = Dropout(dropout)
        self.lora_a = nn.Parameter(base.weight.new_zeros(rank, base.in_features))
        self.lora_b = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        self.train(base.training)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) -> (…, out)."""
        changed = linear(linear(self.dropout(x), self.lora_a), self.lora_b)
        return linear(x, self.weight, self.bias) + self.scale * changed

    def draw(self, generator: torch.Generator) -> None:
        """Begin: A normal, of the deviation 1/√(3·in) usual for linear maps, and B zero.

        So the update is zero at first, and its gradient is not (Hu et al. 2021, §4.1).
        """
        drawn = torch.randn(self.lora_a.shape, generator=generator)
        with torch.no_grad():
            self.lora_a.copy_(drawn / math.sqrt(3 * self.in_features))
            self.lora_b.zero_()

    def merged(self) -> nn.Linear:
        """One linear map that does the same, with weights of its own."""
        wide = torch.promote_types(self.weight.dtype, torch.float32)
        with torch.no_grad():
            change = self.lora_b.to(wide) @ self.lora_a.to(wide)
            weight = (self.weight.to(wide) + self.scale * change).to(self.weight.dtype)
        made = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        made.weight = nn.Parameter(weight, requires_grad=self.weight.requires_grad)
        made.bias = self.bias
        return made.train(self.training)


def add_lora(model: Model, config: LoraConfig, *, seed: int = 0) -> Receipt:
    """Give the linear maps that `config.targets` names an update that learns; all else stays still.

    Only A and B, and the weights that `config.learned` names, have gradients from then on. Raises
    ConfigError that names every target or glob which matches nothing.
    """
    _refuse_twice(model)
    maps, weights = linear_maps(model), dict(model.named_parameters())
    chosen = _chosen(config.targets, list(maps))
    check(config.learned, weights)
    whole = {name for glob in config.learned for name in matching(glob, weights)}
    both = sorted(whole & {f"{name}.weight" for name in chosen})
    if both:
        raise ConfigError(
            f"{', '.join(both[:5])} would learn whole and by an update.",
            fix="Name it in `targets` or in `learned`.",
        )
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name in chosen:
        changed = LowRankLinear(maps[name], config.rank, config.scale, config.dropout)
        changed.draw(generator)
        put(model, name, changed)
    for name in whole:
        weights[name].requires_grad_(True)
    return receipt(model, chosen)


def attach(model: Model, adapter: Adapter, *, trainable: bool = False) -> Receipt:
    """Put a learned adapter on a network, to run it or, where `trainable`, to go on learning.

    Raises ConfigError that names everything for which the network has no place.
    """
    _refuse_twice(model)
    if adapter.untied and model.config.tied:
        raise ConfigError(
            "the adapter has a head of its own, which this network has tied to its embedding.",
            fix="Merge it into the checkpoint: loquent models merge",
        )
    maps, weights = linear_maps(model), dict(model.named_parameters())
    _check_fit(adapter, maps, weights)
    model.requires_grad_(False)
    for name, update in adapter.updates.items():
        base = maps[name]
        changed = LowRankLinear(base, len(update.a), update.scale, adapter.dropout)
        for parameter, array in ((changed.lora_a, update.a), (changed.lora_b, update.b)):
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(array)))
            parameter.requires_grad_(trainable)
        put(model, name, changed)
    for name, array in adapter.replaced.items():
        # a new tensor: the old one may be a view of a file that nothing may write to
        old = weights[name]
        made = torch.from_numpy(np.array(array)).to(old.device, old.dtype)
        owner, _, last = name.rpartition(".")
        setattr(model.get_submodule(owner), last, nn.Parameter(made, requires_grad=trainable))
    return receipt(model, adapter.updates)


def adapter_of(model: Model) -> Adapter:
    """Copies of what an adapted network has learned: updates, and weights that learn whole."""
    updates, own = {}, set()
    dropout = 0.0
    for name, changed in _adapted(model).items():
        updates[name] = Update(_array(changed.lora_a), _array(changed.lora_b), changed.scale)
        own |= {f"{name}.lora_a", f"{name}.lora_b"}
        dropout = changed.dropout.share
    replaced = {
        name: _array(weight)
        for name, weight in model.named_parameters()
        if weight.requires_grad and name not in own
    }
    return Adapter(updates=updates, replaced=replaced, dropout=dropout)


def merge(model: Model) -> dict[str, LowRankLinear]:
    """Replace every adapted map by one plain map that does the same; gives what `unmerge` needs.

    In between, the network is what it was before `add_lora`, with other weights: it is saved,
    packed and run like any other.
    """
    taken = _adapted(model)
    for name, changed in taken.items():
        put(model, name, changed.merged())
    return taken


def unmerge(model: Model, taken: Mapping[str, LowRankLinear]) -> None:
    """Put back the adapted maps that `merge` took out, bit for bit as they were."""
    for name, changed in taken.items():
        put(model, name, changed)


def linear_maps(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear maps of all layers by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and ".layers." in name
    }


def put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Set the part of a network that stands under a name."""
    owner, _, last = name.rpartition(".")
    setattr(model.get_submodule(owner), last, module)


def _adapted(model: nn.Module) -> dict[str, LowRankLinear]:
    return {name: each for name, each in model.named_modules() if isinstance(each, LowRankLinear)}


def _refuse_twice(model: nn.Module) -> None:
    if _adapted(model):
        raise ConfigError("the network has low-rank updates already.", fix="Merge them first.")


def _chosen(targets: tuple[str, ...], maps: list[str]) -> list[str]:
    """The maps that any target names, in the order of the network."""
    if not maps:
        raise ConfigError("the layers have no linear maps: updates are for attention and such.")
    words = {name.rpartition(".")[2] for name in maps}
    found: set[str] = set()
    faults: list[UserError] = []
    for target in targets:
        glob = "*" if target == "all" else f"*.{target}" if target.isidentifier() else target
        names = matching(glob, maps)
        found.update(names)
        if not names:
            fix = nearest(target, {"all", *words})
            faults.append(ConfigError(f"no linear map of a layer matches {target!r}.", fix=fix))
    if faults:
        raise together(ConfigError, faults)
    return [name for name in maps if name in found]


def _check_fit(
    adapter: Adapter, maps: Mapping[str, nn.Linear], weights: Mapping[str, Tensor]
) -> None:
    faults: list[UserError] = []
    for name, update in adapter.updates.items():
        if name not in maps:
            faults.append(ConfigError(f"there is no linear map {name!r}.", fix=nearest(name, maps)))
            continue
        found, wanted = (len(update.b), update.a.shape[1]), tuple(maps[name].weight.shape)
        if found != wanted:
            faults.append(ConfigError(f"the update of {name!r} is for {found}, not {wanted}."))
    for name, array in adapter.replaced.items():
        if name not in weights:
            faults.append(ConfigError(f"there is no weight {name!r}.", fix=nearest(name, weights)))
        elif tuple(weights[name].shape) != array.shape:
            wanted = tuple(weights[name].shape)
            faults.append(ConfigError(f"{name!r} has the shape {array.shape}, not {wanted}."))
    if faults:
        raise together(ConfigError, faults)


def _array(weight: Tensor) -> NDArray[Any]:
    wide = torch.promote_types(weight.dtype, torch.float32)  # NumPy has no bfloat16
    made: NDArray[Any] = weight.detach().to("cpu", wide, copy=True).numpy()
    return made
