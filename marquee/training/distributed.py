"""The processes of one training: torchrun starts one a device and numbers them by rank.

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
TIMEOUT = timedelta(hours=12)  # rank 0 may fit the rating model of a large set meanwhile


def global_rank() -> int:
    return int(os.environ.get("RANK", 0))


def is_first() -> bool:
    return global_rank() == 0


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def join() -> None:
    """Join the process group once; Lightning takes over a group that exists."""
    if world_size() > 1 and not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=TIMEOUT)


def all_gather(value: T) -> list[T]:
    """Return every rank's value, in the order of ranks."""
    if world_size() == 1:
        return [value]
    join()
    values: list[T] = [value] * world_size()
    dist.all_gather_object(values, value)
    return values


def on_first_rank(make: Callable[[], T]) -> T:
    """Call a function in rank 0 alone, and return its value in every rank."""
    return all_gather(make() if is_first() else cast(T, None))[0]


def all_reduce_max(value: int) -> int:
    """Return the largest value of all ranks; cheap enough for every step."""
    if world_size() == 1:
        return value
    join()
    maximum = torch.tensor(value)
    dist.all_reduce(maximum, dist.ReduceOp.MAX)
    return int(maximum)


def barrier() -> None:
    all_gather(None)


def leave() -> None:
    """Wait for all ranks, then leave: the first to exit would end the group."""
    if dist.is_initialized():
        barrier()
        dist.destroy_process_group()


def say_once(message: str) -> None:
    if is_first():
        say(message)
