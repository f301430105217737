"""Muon for the matrices inside the network, AdamW for everything else; one step and one schedule for both.

Muon (Jordan et al. 2024) makes a network trained from scratch learn in fewer steps, which is what a CPU has few of.
torch.optim.Muon works in bfloat16, which took 12 s a step on a CPU without it; this one works in float32 there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from addon.engine.sam2.efficientnet_lite import EfficientNetLite0

from .peers import Peers

PRETRAINED = 0.25  # of the rate, for a trunk whose weights come from far more pictures than this training has
ADAMW_MOST = 4e-4  # it diverged at 1.2e-3, while Muon learns faster at 3e-3 than at 1e-3
INNER = ("trunk.blocks", "memory_attention.layers", "sam_mask_decoder.transformer", "obj_ptr_proj", "hypernetworks")


def orthogonal(updates: Tensor, steps: int = 4) -> Tensor:
    """K x m x n matrices with all singular values brought near 1, by Newton and Schulz's quintic iteration."""
    x = updates.mT if updates.shape[1] > updates.shape[2] else updates
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    result: Tensor = x.mT if updates.shape[1] > updates.shape[2] else x
    return result


class Muon(torch.optim.Optimizer):
    """Momentum, then an orthogonal update of the size that AdamW's would have (0.2 sqrt(max(m, n))).

    The peers share the work: it is a fifth of a step.
    """

    def __init__(
        self, params: list[Tensor], peers: Peers, lr: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.peers = peers

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One step; matrices of one shape are worked on together."""
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
        """One step at factor x the learning rate, then clear the gradients."""
        for part, rate in zip(self.parts, self.rates, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * factor * group.get("part", 1.0)
            part.step()
            part.zero_grad(set_to_none=True)

    def state(self) -> list[Any]:
        """What resume needs."""
        return [part.state_dict() for part in self.parts]

    def load(self, state: list[Any]) -> None:
        """Go on from `state`."""
        for part, one in zip(self.parts, state, strict=True):
            part.load_state_dict(one)


def schedule(step: int, decay: float = 0.0, warm_up: int = 60) -> float:
    """Which part of the learning rate step `step` of a stage has: a linear warm-up, then all of it, until a decay.

    A constant rate has no end that must be known beforehand, so a training can be stopped and gone on with for ever.
    The decay (0..1, how much of it has passed) falls as 1 - sqrt, which did best in Hägele et al., "Scaling laws and
    compute-optimal training beyond fixed training durations" (NeurIPS 2024).
    """
    return min(1.0, (step + 1) / warm_up) * (1 - math.sqrt(min(1.0, decay)))
