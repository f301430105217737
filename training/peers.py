"""Training processes that share one model: each draws its own pictures, and all step by the mean gradient.

Two processes with one thread each train nearly twice as fast as one process with two threads, as the matrices are
small.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


class Peers:
    """This process among `count` training processes on this machine."""

    def __init__(self, rank: int, count: int, meeting: str) -> None:
        """`meeting` is a new file's path, the same for all."""
        self.rank, self.count = rank, count
        if count > 1:
            dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)

    @property
    def first(self) -> bool:
        """Whether this is the process that measures and saves."""
        return self.rank == 0

    def agree(self, parameters: list[Tensor], progress: float) -> float:
        """Average the gradients over all processes and return the first one's progress (1: this is the last step).

        A parameter without a gradient in every process keeps none: with zeros, weight decay would shrink it.
        """
        if self.count == 1:
            return progress
        used = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float32)
        said = torch.tensor(progress if self.first else 0.0)
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        said, used, *gradients = self.total([said, used, *gradients])
        for p, somewhere, gradient in zip(parameters, used.tolist(), gradients, strict=True):
            p.grad = gradient / self.count if somewhere else None
        return said.item()

    def mine(self, count: int) -> list[int]:
        """Return which of `count` items this process handles."""
        return list(range(self.rank, count, self.count))

    def total(self, tensors: list[Tensor]) -> list[Tensor]:
        """Return the sums over all processes of float32 tensors, whose shapes are the same in each process."""
        if self.count == 1 or not tensors:
            return tensors
        everything = torch.cat([t.flatten() for t in tensors])
        dist.all_reduce(everything)
        parts = torch.split(everything, [t.numel() for t in tensors])
        return [part.view_as(t) for part, t in zip(parts, tensors, strict=True)]
