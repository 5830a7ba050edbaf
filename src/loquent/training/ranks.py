"""Several processes that train one network: what they tell each other."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from loquent.errors import ConfigError
from loquent.model.model import Model
from loquent.training.saved import Saved

_BUCKET_BYTES = 32 * 2**20  # gradients that are added up in one message


class Ranks(Protocol):
    """All processes of a training; only the one of rank 0 writes files."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        ...

    @property
    def count(self) -> int:
        """How many processes there are."""
        ...

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor the sum of those of all ranks."""
        ...

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums of these numbers over all ranks, in float64."""
        ...

    def align(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor that of rank 0."""
        ...

    def joined(self, table: Tensor) -> Tensor:
        """The rows of the tables (N, C) of all ranks, in float64 on the CPU, rank after rank."""
        ...

    def shared(self, saved: Saved | None) -> Saved | None:
        """What rank 0 gives, on the CPU: the others need not see its disk, and give nothing."""
        ...


class Alone:
    """One process, which has nobody to talk to."""

    rank = 0
    count = 1

    def add(self, tensors: Sequence[Tensor]) -> None:
        """A sum over one rank: nothing changes."""

    def total(self, values: Sequence[float]) -> list[float]:
        """The same numbers."""
        return list(values)

    def align(self, tensors: Sequence[Tensor]) -> None:
        """Rank 0 is this one: nothing changes."""

    def joined(self, table: Tensor) -> Tensor:
        """The same table."""
        return table

    def shared(self, saved: Saved | None) -> Saved | None:
        """The same."""
        return saved


ALONE = Alone()


class Distributed:
    """Processes that torchrun started; they talk through gloo on CPUs, through nccl on GPUs."""

    def __init__(self, device: torch.device) -> None:
        self.rank = dist.get_rank()
        self.count = dist.get_world_size()
        self._device = device

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor the sum of those of all ranks, many in one message."""
        for bucket in _buckets(tensors):
            flat = torch.cat([each.flatten() for each in bucket])
            dist.all_reduce(flat)
            _spread(flat, bucket)

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums of these numbers over all ranks, in float64."""
        numbers = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.all_reduce(numbers)
        made: list[float] = numbers.tolist()
        return made

    def align(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor that of rank 0."""
        for bucket in _buckets(tensors):
            flat = torch.cat([each.flatten() for each in bucket])
            dist.broadcast(flat, src=0)
            _spread(flat, bucket)

    def joined(self, table: Tensor) -> Tensor:
        """The rows of the tables (N, C) of all ranks, in float64 on the CPU, rank after rank."""
        alone = [float(len(table)) if rank == self.rank else 0.0 for rank in range(self.count)]
        sizes = [int(size) for size in self.total(alone)]
        mine = torch.zeros(max(sizes), table.shape[1], dtype=torch.float64, device=self._device)
        mine[: len(table)] = table.to(self._device)
        tables = [torch.empty_like(mine) for _ in sizes]
        dist.all_gather(tables, mine)
        return torch.cat([each[:size] for each, size in zip(tables, sizes, strict=True)]).cpu()

    def shared(self, saved: Saved | None) -> Saved | None:
        """What rank 0 gives, on the CPU: the others need not see its disk, and give nothing."""
        told = b"" if saved is None or self.rank else _header(saved)
        size = int(self.total([float(len(told))])[0])
        if not size:
            return None
        header = torch.frombuffer(bytearray(told or size), dtype=torch.uint8)
        values, kinds = json.loads(bytes(self._from_first(header).tolist()))
        tensors = {}
        for name, kind, shape in kinds:
            empty = torch.empty(shape, dtype=getattr(torch, kind))
            tensors[name] = self._from_first(saved.tensors[name] if told and saved else empty)
        return Saved(tensors, values)

    def _from_first(self, tensor: Tensor) -> Tensor:
        """A tensor of rank 0, on the CPU of every rank."""
        sent = tensor.to(self._device, copy=True).contiguous()
        dist.broadcast(sent, src=0)
        return sent.cpu()


@contextmanager
def ranks_of(
    device: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Ranks, str]]:
    """The ranks that torchrun has started, or ALONE, and this one's device ("cuda:LOCAL_RANK").

    Raises ConfigError where torchrun's variables are there only in part.
    """
    environment = os.environ if environment is None else environment
    if int(environment.get("WORLD_SIZE", "1")) <= 1:
        yield ALONE, device
        return
    missing = [name for name in _VARIABLES if name not in environment]
    if missing:
        raise ConfigError(
            f"WORLD_SIZE is set, but {', '.join(missing)} is not.",
            fix="Start several processes with torchrun.",
        )
    kind = torch.device(device).type
    if kind == "cuda":
        device = f"cuda:{environment['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Distributed(torch.device(device)), device
    finally:
        dist.destroy_process_group()


_VARIABLES = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def shard(model: Model) -> None:
    """Split the weights over all ranks, layer by layer (FSDP2); gradients become sums over them."""
    for stack in (model.encoder, model.decoder):
        for layer in () if stack is None else stack.layers:
            fully_shard(layer)
    fully_shard(model)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo knows no mean
    register_fsdp_forward_method(model, "hidden")


def local(tensor: Tensor) -> Tensor:
    """This rank's part of a tensor, which is all of it where nothing is split."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, gathered from all ranks where it is split: each of them has to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def split_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, split over the ranks where `other` is."""
    if isinstance(other, DTensor) and tensor.ndim:
        return distribute_tensor(tensor, other.device_mesh, other.placements)
    return tensor


def _header(saved: Saved) -> bytes:
    """The values of a state, and what its tensors are, as JSON."""
    kinds = [
        (name, str(each.dtype).removeprefix("torch."), list(each.shape))
        for name, each in saved.tensors.items()
    ]
    return json.dumps([saved.values, kinds]).encode()


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbors of one type, together no larger than a bucket unless one alone is."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (size + tensor.nbytes > _BUCKET_BYTES or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket


def _spread(flat: Tensor, bucket: Sequence[Tensor]) -> None:
    parts = torch.split(flat, [each.numel() for each in bucket])
    with torch.no_grad():
        for tensor, part in zip(bucket, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
