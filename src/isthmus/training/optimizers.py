"""Optimizers by name, and the learning rate and weight decay of each parameter."""

from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn, optim

from isthmus.part import did_you_mean
from isthmus.training.fused import IS_KNOWN, FusedAdam, FusedAdamW, FusedOptimizer, run_closure

# Modules whose weights decay. Other parameters do not: biases, scales and shifts of norms, embeddings, log scales.
DECAYING = (
    *(nn.Linear, nn.Bilinear, nn.RNNBase, nn.MultiheadAttention),
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
# Options of Adam that the fused step supports.
FUSED_OPTIONS = {"lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "fused"}
Options = dict[str, Any]


def adamw(groups: list[Options], **options: Any) -> optim.Optimizer:
    """AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, arXiv:1711.05101)."""
    return _make_adam(FusedAdamW, optim.AdamW, groups, options)


def adam(groups: list[Options], **options: Any) -> optim.Optimizer:
    """Adam (Kingma and Ba, ICLR 2015, arXiv:1412.6980)."""
    return _make_adam(FusedAdam, optim.Adam, groups, options)


def _make_adam(fused: Any, standard: Any, groups: list[Options], options: Options) -> optim.Optimizer:
    """Make the fused optimizer if it supports all parameters and options, else the standard one of torch."""
    parameters = [parameter for group in groups for parameter in group["params"]]
    can_fuse = options.keys() <= FUSED_OPTIONS and all(
        p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters
    )
    options = {"fused": can_fuse or None, **options}
    return (fused if IS_KNOWN and can_fuse and options["fused"] else standard)(groups, **options)


class ClippedSGD(optim.SGD):
    """Gradient descent with Nesterov momentum 0.9, on gradients whose norm is at most 1.

    The norm is over all parameters with the same learning rate factor. Parameters with another factor, such as log
    scales, have gradients of another size: in a common norm they would shorten the steps of the nets, and the
    likelihood of held-out rows falls (on digits by 8 to 20 nats per row).

    A loss is a sum over features, so the norm of the gradients grows with the number of features. The steps of gradient
    descent are proportional to this norm, those of Adam do not depend on it.
    """

    def __init__(self, groups: Any, **options: Any) -> None:
        super().__init__(groups, momentum=0.9, nesterov=True, **options)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Clip the gradients and make one step; return the result of the closure.

        ``SGD.step`` is not called, because it would run the hooks of this step a second time.
        """
        loss = run_closure(closure)
        for parameters in self._parameters_by_factor():
            nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _parameters_by_factor(self) -> Iterable[list[nn.Parameter]]:
        by_factor: dict[float, list[nn.Parameter]] = {}
        for group in self.param_groups:
            by_factor.setdefault(group.get("learning_rate_factor", 1.0), []).extend(group["params"])
        return by_factor.values()

    def _update(self, parameter: nn.Parameter, group: Options) -> None:
        gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])  # type: ignore[union-attr]
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        momentum = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        parameter.add_(gradient.add_(momentum, alpha=group["momentum"]), alpha=-group["lr"])


OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {"adamw": adamw, "adam": adam, "sgd": ClippedSGD}


def make_optimizer(
    choice: str | Callable[..., optim.Optimizer], model: nn.Module, learning_rate: float, weight_decay: float
) -> optim.Optimizer:
    """Make an optimizer of a model's parameters.

    The learning rate of a parameter is ``learning_rate`` times the ``learning_rate_factor`` of the innermost module
    around it that has this attribute. Weights decay if they belong to linear, convolutional, recurrent or attention
    layers, or to a module with a true attribute ``weights_decay``.

    Parameters
    ----------
    choice : {"adamw", "adam", "sgd"} or callable
        "sgd" has Nesterov momentum 0.9 and clips gradients. A callable gets groups of parameters, each with its own
        learning rate and weight decay, and ``lr``.
    model : Module
        The model.
    learning_rate : float
        Learning rate of parameters with the factor 1, above 0.
    weight_decay : float
        Strength of the decay, from 0.

    Returns
    -------
    torch.optim.Optimizer
        The optimizer of all parameters of the model.

    Raises
    ------
    ValueError
        If an argument is invalid; the message names it.

    Examples
    --------
    >>> from torch import nn
    >>> from isthmus.training import make_optimizer
    >>> optimizer = make_optimizer("adamw", nn.Linear(3, 2), learning_rate=1e-3, weight_decay=0.1)
    >>> sorted(group["weight_decay"] for group in optimizer.param_groups)     # biases do not decay
    [0.0, 0.1]
    """
    check_optimizer(choice, learning_rate, weight_decay)
    groups = _group_parameters(model, float(learning_rate), float(weight_decay))
    return choice(groups, lr=learning_rate) if callable(choice) else OPTIMIZERS[choice](groups, lr=learning_rate)


def check_optimizer(choice: Any, learning_rate: Any, weight_decay: Any) -> None:
    """Raise ``ValueError`` for an invalid argument of ``make_optimizer``; the message names the argument."""
    if not isinstance(learning_rate, Real) or not learning_rate > 0:  # type: ignore[operator]
        raise ValueError(f'learning_rate must be "auto" or a number > 0, got {learning_rate!r}')
    if not isinstance(weight_decay, Real) or not weight_decay >= 0:  # type: ignore[operator]
        raise ValueError(f"weight_decay must be a number >= 0, got {weight_decay!r}")
    if not callable(choice) and choice not in OPTIMIZERS:
        known = sorted(OPTIMIZERS)
        raise ValueError(f"optimizer must be one of {known}, got {choice!r}{did_you_mean(str(choice), known)}")


def set_learning_rate(optimizer: optim.Optimizer, rate: float | Tensor) -> None:
    """Give each group of parameters this learning rate, times the factor of its modules.

    Only ``FusedOptimizer`` gets a tensor. Other optimizers get a number, for which the processor waits.
    """
    rate = rate.item() if isinstance(rate, Tensor) and not isinstance(optimizer, FusedOptimizer) else rate
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("learning_rate_factor", 1.0)


def clear_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Delete the gradients of the last step."""
    for parameter in parameters:
        parameter.grad = None


def _group_parameters(model: nn.Module, learning_rate: float, weight_decay: float) -> list[Options]:
    """Group the parameters that have equal options. Few groups are fast, because each group starts its own kernel."""
    roles: dict[nn.Parameter, tuple[float, float]] = {}
    for parameter, factor, decays in _find_roles(model):
        roles.setdefault(parameter, (factor, weight_decay * decays))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, role in roles.items():
        groups.setdefault(role, []).append(parameter)
    return [
        {"params": members, "lr": learning_rate * factor, "learning_rate_factor": factor, "weight_decay": decay}
        for (factor, decay), members in groups.items()
    ]


def _find_roles(module: nn.Module, factor: float = 1.0) -> Iterator[tuple[nn.Parameter, float, bool]]:
    """Yield each parameter of a module and its submodules, its learning rate factor, and whether it decays."""
    factor = getattr(module, "learning_rate_factor", factor)
    decays = isinstance(module, DECAYING) or getattr(module, "weights_decay", False)
    for name, parameter in module.named_parameters(recurse=False):
        yield parameter, factor, decays and "weight" in name
    for child in module.children():
        yield from _find_roles(child, factor)
