"""Optimizers by name."""

from collections.abc import Callable
from numbers import Real
from typing import Any

from torch import nn, optim

from isthmus.part import did_you_mean

OPTIMIZERS: dict[str, tuple[type[optim.Optimizer], dict[str, Any]]] = {
    "adamw": (optim.AdamW, {}),
    "adam": (optim.Adam, {}),
    "sgd": (optim.SGD, {"momentum": 0.9, "nesterov": True}),
}


def make_optimizer(
    choice: str | Callable[..., optim.Optimizer], model: nn.Module, learning_rate: float, weight_decay: float
) -> optim.Optimizer:
    """Make an optimizer over a model's parameters; weights decay, biases and scales do not.

    Parameters
    ----------
    choice : {"adamw", "adam", "sgd"} or callable
        "sgd" has Nesterov momentum 0.9. A callable gets the groups of parameters and ``lr``.
    """
    if not isinstance(learning_rate, Real) or not learning_rate > 0:
        raise ValueError(f"learning_rate must be a number > 0, got {learning_rate!r}")
    if not isinstance(weight_decay, Real) or not weight_decay >= 0:
        raise ValueError(f"weight_decay must be a number >= 0, got {weight_decay!r}")
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if callable(choice):
        return choice(groups, lr=learning_rate)
    if choice not in OPTIMIZERS:
        known = sorted(OPTIMIZERS)
        raise ValueError(f"optimizer must be one of {known}, got {choice!r}{did_you_mean(str(choice), known)}")
    kind, options = OPTIMIZERS[choice]
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return kind(groups, lr=learning_rate, fused=fused, **options)
