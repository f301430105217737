"""Muon for the matrices inside the network, AdamW for everything else; one step and one schedule for both.

With Muon (Jordan et al. 2024), a network trained from scratch learns in fewer steps, of which a CPU manages few.
torch.optim.Muon works in bfloat16, which takes 12 s per step on a CPU without native bfloat16; this one works in
float32 there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from addon.engine.sam2.efficientnet_lite import EfficientNetLite0

from .peers import Peers

PRETRAINED = (
    0.25  # factor of the learning rate for a pretrained trunk, which saw far more pictures than this training has
)
ADAMW_MOST = 4e-4  # AdamW diverged at 1.2e-3, while Muon learns faster at 3e-3 than at 1e-3
INNER = ("trunk.blocks", "memory_attention.layers", "sam_mask_decoder.transformer", "obj_ptr_proj", "hypernetworks")


def orthogonal(updates: Tensor, steps: int = 4) -> Tensor:
    """Bring all singular values of K x m x n matrices near 1 with the quintic Newton-Schulz iteration."""
    x = updates.mT if updates.shape[1] > updates.shape[2] else updates
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    result: Tensor = x.mT if updates.shape[1] > updates.shape[2] else x
    return result


class Muon(torch.optim.Optimizer):
    """Momentum, then an orthogonalised update scaled to the size of AdamW's: 0.2 sqrt(max(m, n)).

    The update takes a fifth of a step, so the peers divide the matrices among themselves.
    """

    def __init__(
        self, params: list[Tensor], peers: Peers, lr: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.peers = peers

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Make one step; matrices of equal shape are processed together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    alike[p.shape].append(p)
            whole = []
            for shape, params in alike.items():
                updates = []
                for p in params:
                    gradient, buffer = p.grad, self.state[p].setdefault("momentum", torch.zeros_like(p))
                    assert gradient is not None
                    buffer.lerp_(gradient, 1 - group["momentum"])
                    updates.append(gradient.lerp(buffer, group["momentum"]))
                result, mine = torch.zeros(len(params), *shape, device=updates[0].device), self.peers.mine(len(params))
                if mine:
                    result[mine] = orthogonal(torch.stack([updates[i] for i in mine]))
                whole.append(result)
            for params, orthogonals in zip(alike.values(), self.peers.total(whole), strict=True):
                size = group["lr"] * 0.2 * math.sqrt(max(params[0].shape))
                for p, update in zip(params, orthogonals, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-size)


class Optimiser:
    """Both optimisers under one learning rate."""

    def __init__(self, model: Any, peers: Peers, rate: float, decay: float = 0.02) -> None:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        matrices = [p for n, p in named if p.ndim == 2 and min(p.shape) >= 16 and any(part in n for part in INNER)]
        inner = {id(p) for p in matrices}
        trunk = model.image_encoder.trunk
        learnt = [p for p in trunk.parameters() if p.requires_grad] if isinstance(trunk, EfficientNetLite0) else []
        theirs = inner | {id(p) for p in learnt}
        groups = [{"params": [p for _, p in named if id(p) not in theirs], "part": 1.0}]
        if learnt:
            groups.append({"params": learnt, "part": PRETRAINED})
        self.rates = rate, min(0.4 * rate, ADAMW_MOST)
        self.parts: list[torch.optim.Optimizer] = [
            Muon(matrices, peers, rate, decay),
            torch.optim.AdamW(groups, lr=self.rates[1], weight_decay=decay, betas=(0.9, 0.98)),
        ]

    def step(self, factor: float) -> None:
        """Make one step at `factor` x the learning rate, then clear the gradients."""
        for part, rate in zip(self.parts, self.rates, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * factor * group.get("part", 1.0)
            part.step()
            part.zero_grad(set_to_none=True)

    def state(self) -> list[Any]:
        """Return what is needed to resume."""
        return [part.state_dict() for part in self.parts]

    def load(self, state: list[Any]) -> None:
        """Resume from `state`."""
        for part, one in zip(self.parts, state, strict=True):
            part.load_state_dict(one)


def schedule(step: int, decay: float = 0.0, warm_up: int = 60) -> float:
    """Return the factor of the learning rate at a step: a linear warm-up, then 1, then a decay if there is one.

    A constant rate needs no known end, so training can stop and resume at any time. The decay (0..1, the fraction of it
    that has passed) falls as 1 - sqrt, the best in Hägele et al., "Scaling laws and compute-optimal training beyond
    fixed training durations" (NeurIPS 2024).
    """
    return min(1.0, (step + 1) / warm_up) * (1 - math.sqrt(min(1.0, decay)))
