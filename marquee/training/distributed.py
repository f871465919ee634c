"""The processes of one training: torchrun starts one a device and numbers them by rank.

    torchrun --nproc-per-node 2 train.py fit --config recipes/ml-1m.yaml
    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:PORT train.py …

All processes train, each on its share of every batch. Global rank 0 alone writes, logs, exports and
evaluates, while the others wait at the next collective call. A training without torchrun is rank 0
of a world of one.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist

from marquee.core.command import say

T = TypeVar("T")
TIMEOUT = timedelta(hours=12)
"""Longest wait for the other ranks: rank 0 may fit the rating model of a large set meanwhile."""


def global_rank() -> int:
    """Return the number of this process among all; 0 without torchrun."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """Return the number of processes of this training."""
    return int(os.environ.get("WORLD_SIZE", 1))


def local_world_size() -> int:
    """Return the number of processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def join() -> None:
    """Join the process group once; Lightning takes over a group that exists."""
    if world_size() > 1 and not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=TIMEOUT)


def broadcast(value: T) -> T:
    """Return rank 0's value in every rank."""
    if world_size() == 1:
        return value
    join()
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def on_first_rank(make: Callable[[], T]) -> T:
    """Call a function in rank 0 alone, and return its value in every rank."""
    return broadcast(make() if global_rank() == 0 else cast(T, None))


def all_gather(value: T) -> list[T]:
    """Return every rank's value, in the order of ranks."""
    if world_size() == 1:
        return [value]
    join()
    values: list[T] = [value] * world_size()
    dist.all_gather_object(values, value)
    return values


def all_reduce_max(value: int) -> int:
    """Return the largest value of all ranks; cheap enough for every step."""
    if world_size() == 1:
        return value
    join()
    maximum = torch.tensor(value)
    dist.all_reduce(maximum, dist.ReduceOp.MAX)
    return int(maximum)


def barrier() -> None:
    """Wait until every rank has come here."""
    broadcast(None)


def leave() -> None:
    """Wait for all ranks, then leave the group.

    A rank that exits at once would end the group for the others.
    """
    if dist.is_initialized():
        barrier()
        dist.destroy_process_group()


def say_once(message: str) -> None:
    """Print a line of progress in rank 0 alone."""
    if global_rank() == 0:
        say(message)
