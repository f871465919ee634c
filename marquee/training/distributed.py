"""The processes of one training: torchrun starts them, one a device, and numbers them by rank.

    torchrun --nproc-per-node 2 train.py fit --config recipes/ml-1m.yaml
    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:PORT train.py …

All ranks train, each on its share of every batch; rank 0 alone writes, logs, exports and measures,
while the others wait at the next thing that is done together. A training without torchrun is rank 0
of one.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist

T = TypeVar("T")
PATIENCE = timedelta(hours=12)
"""How long a rank waits for the others: rank 0 may sample the stars of a large set meanwhile."""


def rank() -> int:
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def per_machine() -> int:
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def join() -> None:
    """Meet the other ranks, once; Lightning takes the group that is there."""
    if world_size() > 1 and not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)


def same(value: T) -> T:
    """Rank 0's value, in every rank."""
    if world_size() == 1:
        return value
    join()
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def first(make: Callable[[], T]) -> T:
    """What rank 0 makes, which none of the others does, in every rank."""
    return same(make() if rank() == 0 else cast(T, None))


def gathered(value: T) -> list[T]:
    """Every rank's value, in the order of ranks."""
    if world_size() == 1:
        return [value]
    join()
    values: list[T] = [value] * world_size()
    dist.all_gather_object(values, value)
    return values


def largest(value: int) -> int:
    """The largest of all ranks' values; cheap enough for every step."""
    if world_size() == 1:
        return value
    join()
    found = torch.tensor(value)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return int(found)


def wait() -> None:
    """Until every rank has come here."""
    same(None)


def leave() -> None:
    """Wait for the others and part; a rank that just ends takes the group down with it."""
    if dist.is_initialized():
        wait()
        dist.destroy_process_group()
