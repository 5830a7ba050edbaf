"""A network is made ready to learn as the settings say: where, how exactly, in what memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from loquent.errors import ConfigError
from loquent.model.model import Model
from loquent.training.ranks import Ranks, shard
from loquent.training.settings import Precision, TrainingConfig


def prepare(model: Model, config: TrainingConfig, device: torch.device, ranks: Ranks) -> None:
    """Move the model, and change how it is computed; all ranks then have the weights of rank 0.

    Raises ConfigError where the machine cannot do what the settings ask for.
    """
    if config.precision == "bf16" and not _has_bfloat16(device):
        raise ConfigError(
            f"this machine's {device.type} has no products in bfloat16.",
            fix='Take precision = "f32".',
        )
    model.to(device)
    if config.deterministic and device.type == "cuda":  # cuBLAS reads it when it is first used
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    stacks = [stack for stack in (model.encoder, model.decoder) if stack is not None]
    for stack in stacks:
        stack.checkpointing = config.checkpointing
    ranks.align([each.detach() for each in model.parameters()])
    if config.sharded and ranks.count > 1:
        shard(model)
    if config.compile:
        for stack in stacks:
            stack.compile()


@contextmanager
def exactly(config: TrainingConfig, device: torch.device) -> Iterator[None]:
    """Within, a GPU computes the same sums in the same order each time; CPUs do so anyway."""
    if not config.deterministic or device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    settings: Any = torch.utils.deterministic  # whose attribute its types do not know
    filling = settings.fill_uninitialized_memory
    settings.fill_uninitialized_memory = False  # nothing reads such memory, and it costs time
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        settings.fill_uninitialized_memory = filling


def rounded(precision: Precision, device: torch.device) -> torch.autocast | nullcontext[None]:
    """Within, products are as exact as is asked for."""
    half = precision == "bf16"
    return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
