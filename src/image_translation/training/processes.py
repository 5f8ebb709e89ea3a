"""Several processes that train one model together, through torch.distributed.

Every process holds the whole model and a share of each batch. What they compute is added
up, so that they take the step that one process would take with the whole batch; batch
statistics are each process's own.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn


def rank_and_world() -> tuple[int, int]:
    """The number of this process and how many there are; 0 of 1 when alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def sum_over_processes(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their sums over all processes, in one message."""
    _, world = rank_and_world()
    if world == 1:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, part in zip(
        tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True
    ):
        tensor.copy_(part.view_as(tensor))


def share_buffers(network: nn.Module) -> None:
    """Give all processes the first one's batch statistics."""
    _, world = rank_and_world()
    if world > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


def agree(value: bool) -> bool:
    """Whether it holds in any of the processes."""
    _, world = rank_and_world()
    if world == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(int(value), device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)
    return bool(votes)
