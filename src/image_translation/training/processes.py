"""Data parallelism: several processes that train one model, with torch.distributed.

Every process holds the whole model and takes its part of each batch. Gradients are summed
before each step, so that N processes take the step that one process would take with the
whole batch. Batch statistics are each process's own.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn


def rank_and_world() -> tuple[int, int]:
    """Rank of this process and number of processes; (0, 1) for a single process."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def is_first() -> bool:
    """True in the process that writes files and reports to observers."""
    return rank_and_world()[0] == 0


def sum_over_processes(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their sums over all processes, in one message."""
    _, world = rank_and_world()
    if world == 1:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def sum_gradients(network: nn.Module) -> None:
    """Sum the gradients of a network over all processes; missing ones count as zero."""
    if rank_and_world()[1] == 1:
        return
    for parameter in network.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    sum_over_processes([p.grad for p in network.parameters() if p.grad is not None])


def share_buffers(network: nn.Module) -> None:
    """Copy the batch statistics of the first process to all others."""
    _, world = rank_and_world()
    if world > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


def any_process(value: bool) -> bool:
    """True if the value is true in at least one process; waits for all of them."""
    _, world = rank_and_world()
    if world == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(int(value), device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)
    return bool(votes)
