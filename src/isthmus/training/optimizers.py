"""Optimizers by name."""

from collections.abc import Callable
from inspect import unwrap
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn, optim

from isthmus.part import did_you_mean


class _Fused(optim.Optimizer):
    """Adam in one kernel, with little around it.

    Around the same kernel, torch imports its compiler (two seconds a process) and groups the tensors anew in every
    step, which for a small net takes longer than the step. State is kept as torch keeps it.
    """

    kernel: Callable[..., None]
    add_param_group = unwrap(optim.Optimizer.add_param_group)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Step; the closure of other optimizers is not used."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            states = [self.state[p] or self._begin(p) for p in parameters]
            moments = [[state[name] for state in states] for name in ("exp_avg", "exp_avg_sq")]
            steps = [state["step"] for state in states]
            options = {name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad", "maximize")}
            options["beta1"], options["beta2"] = group["betas"]
            if parameters:
                torch._foreach_add_(steps, 1)
                type(self).kernel(parameters, [p.grad for p in parameters], *moments, [], steps, **options)

    # Or torch would wrap every step in marks for its profiler.
    step.hooked = True  # type: ignore[attr-defined]

    def _begin(self, parameter: Tensor) -> dict[str, Tensor]:
        zeros = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
        self.state[parameter] = {"step": torch.zeros((), device=parameter.device), **zeros}
        return self.state[parameter]


class AdamW(_Fused, optim.AdamW):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, arXiv:1711.05101)."""

    kernel = staticmethod(torch._fused_adamw_)


class Adam(_Fused, optim.Adam):
    """Adam (Kingma and Ba, ICLR 2015, arXiv:1412.6980)."""

    kernel = staticmethod(torch._fused_adam_)


class ClippedSGD(optim.SGD):
    """Gradient descent with Nesterov momentum 0.9, on gradients of length 1 at most.

    Losses are sums over features, so the length of gradients grows with the number of features, which Adam forgives
    and plain descent does not.
    """

    def __init__(self, groups: Any, **options: Any) -> None:
        super().__init__(groups, momentum=0.9, nesterov=True, **options)

    def step(self, closure: Any = None) -> Any:
        """Clip, then step."""
        nn.utils.clip_grad_norm_([p for group in self.param_groups for p in group["params"]], 1.0)
        return super().step(closure)


OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {"adamw": AdamW, "adam": Adam, "sgd": ClippedSGD}


def make_optimizer(
    choice: str | Callable[..., optim.Optimizer], model: nn.Module, learning_rate: float, weight_decay: float
) -> optim.Optimizer:
    """Make an optimizer over a model's parameters; weights decay, biases and scales do not.

    Parameters
    ----------
    choice : {"adamw", "adam", "sgd"} or callable
        "sgd" has Nesterov momentum 0.9 and clips gradients. A callable gets the groups of parameters and ``lr``.
    """
    if not isinstance(learning_rate, Real) or not learning_rate > 0:
        raise ValueError(f"learning_rate must be a number > 0, got {learning_rate!r}")
    if not isinstance(weight_decay, Real) or not weight_decay >= 0:
        raise ValueError(f"weight_decay must be a number >= 0, got {weight_decay!r}")
    parameters = list(model.parameters())
    weights, others = ([p for p in parameters if (p.ndim > 1) == is_weight] for is_weight in (True, False))
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    if not weight_decay:
        groups = [{"params": parameters, "weight_decay": 0.0}]  # each group is one more kernel to start
    if callable(choice):
        return choice(groups, lr=learning_rate)
    if choice not in OPTIMIZERS:
        known = sorted(OPTIMIZERS)
        raise ValueError(f"optimizer must be one of {known}, got {choice!r}{did_you_mean(str(choice), known)}")
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return OPTIMIZERS[choice](groups, lr=learning_rate, fused=fused)
