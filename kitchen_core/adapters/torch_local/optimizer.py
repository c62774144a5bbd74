"""AdamW over the trained weights, a step at a time with parameters of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import AdamParams, OptimResult

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Optimizer:
    """The optimizer state of a session. `steps` counts what has been taken."""

    def __init__(self, trained: dict[str, nn.Parameter]) -> None:
        self.steps = 0
        self._trained = trained
        self._adam = self._fresh_adam()

    def step(self, adam: AdamParams) -> OptimResult:
        """Clip, step and clear the gradient. Raises InvalidRequest where there is none."""
        gradients = [p.grad for p in self._trained.values() if p.grad is not None]
        if not gradients:
            raise InvalidRequest(
                "there is no gradient to step on", hint="Call forward_backward before optim_step."
            )
        grad_norm = nn.utils.get_total_norm(gradients)
        if adam.grad_clip_norm > 0:
            nn.utils.clip_grads_with_norm_(self._trained.values(), adam.grad_clip_norm, grad_norm)
        self._adam.param_groups[0].update(
            lr=adam.learning_rate,
            betas=(adam.beta1, adam.beta2),
            eps=adam.eps,
            weight_decay=adam.weight_decay,
        )
        self._adam.step()
        self.clear_gradient()
        self.steps += 1
        return OptimResult(self.steps, {"grad_norm": grad_norm.item()})

    def clear_gradient(self) -> None:
        """Forget what has accumulated."""
        self._adam.zero_grad(set_to_none=True)

    def moments(self) -> dict[str, Tensor]:
        """The optimizer's tensors, `{moment}/{parameter}`; a parameter that never had a gradient has none."""
        return {
            f"{moment}/{name}": self._adam.state[parameter][moment]
            for name, parameter in self._trained.items()
            if parameter in self._adam.state
            for moment in _MOMENTS
        }

    def restore(self, steps: int, moments: dict[str, Tensor]) -> None:
        """Put back what `moments` gave after `steps` steps, and clear the gradient."""
        self.steps = steps
        self._adam = self._fresh_adam()
        self.clear_gradient()
        for name, parameter in self._trained.items():
            if f"step/{name}" in moments:
                self._adam.state[parameter] = {
                    moment: moments[f"{moment}/{name}"].clone() for moment in _MOMENTS
                }

    def _fresh_adam(self) -> torch.optim.AdamW:
        return torch.optim.AdamW(self._trained.values(), fused=True)
