"""Data parallelism: several processes that train one model, with torch.distributed.

Every process holds the whole model and takes its part of each batch.
`torch.nn.parallel.DistributedDataParallel` averages the gradients, so that N processes
take the step that one process would take with the whole batch. Batch statistics are each
process's own.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def rank_and_world() -> tuple[int, int]:
    """Rank of this process and number of processes; (0, 1) for a single process."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def is_first() -> bool:
    """True in the process that writes files and reports to observers."""
    return rank_and_world()[0] == 0


def distribute(network: nn.Module) -> nn.Module:
    """Wrap a network so that its gradients are averaged over all processes."""
    if rank_and_world()[1] == 1:
        return network
    return DistributedDataParallel(network, forward_sync_buffers=False)


@contextmanager
def without_sync(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Context in which gradients are accumulated in each process alone."""
    with ExitStack() as stack:
        for network in networks:
            if isinstance(network, DistributedDataParallel):
                stack.enter_context(network.no_sync())
        yield


def sum_over_processes(tensor: Tensor) -> None:
    """Replace a tensor by its sum over all processes."""
    if rank_and_world()[1] > 1:
        dist.all_reduce(tensor)


def share_buffers(network: nn.Module) -> None:
    """Copy the batch statistics of the first process to all others."""
    if rank_and_world()[1] > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


def any_process(value: bool) -> bool:
    """True if the value is true in at least one process; waits for all of them."""
    if rank_and_world()[1] == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(int(value), device=device)
    dist.all_reduce(votes, op=dist.ReduceOp.MAX)
    return bool(votes)
