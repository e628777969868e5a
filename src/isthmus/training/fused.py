"""Adam and AdamW in one call of a kernel per group, without importing torch's compiler.

Torch's own classes call the same kernel, but they group all tensors again in every step, and their constructors import
torch's compiler, which takes two seconds. The shortcuts use private names of torch, which ``docs/performance.md``
lists. They are used only if the version of torch and the arguments of its kernels are known.
"""

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, optim

# First and last version of torch whose kernels have the arguments below.
KNOWN_VERSIONS = ((2, 6), (2, 15))
KERNELS = ("_fused_adam_", "_fused_adamw_")
ARGUMENTS = (
    *("self", "grads", "exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs", "state_steps"),
    *("lr", "beta1", "beta2", "weight_decay", "eps", "amsgrad", "maximize", "grad_scale", "found_inf"),
)


def is_known() -> bool:
    """Whether torch has a known version and kernels with the expected arguments."""
    version = tuple(int(number) for number in torch.__version__.split(".")[:2])
    is_version_known = KNOWN_VERSIONS[0] <= version <= KNOWN_VERSIONS[1]
    return is_version_known and "_foreach_add_" in vars(torch) and all(map(_arguments_match, KERNELS))


def _arguments_match(kernel: str) -> bool:
    try:
        arguments = getattr(torch.ops.aten, kernel).default._schema.arguments
    except AttributeError:
        return False
    return callable(vars(torch).get(kernel)) and tuple(argument.name for argument in arguments) == ARGUMENTS


IS_KNOWN = is_known()
if IS_KNOWN:
    from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks


def without_compiler(optimizer: type[optim.Optimizer], name: str) -> Callable[..., Any]:
    """Return a method of an optimizer, without torch's wrapper that imports its compiler."""
    method = getattr(optimizer, name)
    return unwrap(method) if IS_KNOWN and method is getattr(optim.Optimizer, name) else method


def run_closure(closure: Callable[[], Any] | None) -> Any:
    """Call the closure of an optimizer's step, if there is one, with gradients."""
    with torch.enable_grad():
        return None if closure is None else closure()


class FusedOptimizer(optim.Optimizer):
    """The step of Adam or AdamW in one call of a kernel per group. State is that of torch's classes."""

    kernel: Callable[..., None]
    add_param_group = without_compiler(optim.Optimizer, "add_param_group")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; return the result of the closure, which computes the gradients."""
        loss = run_closure(closure)
        self.update()
        return loss

    @torch.no_grad()
    def update(self) -> None:
        """Make one step without hooks, and without torch's wrapper of ``step``, which takes a third of its time."""
        for group in self.param_groups:
            self._step_group(group)

    def _step_group(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        if not parameters:
            return
        states = [self.state[p] or self._start_state(p, group["amsgrad"]) for p in parameters]
        averages, squares, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        largest = [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else []
        options = {name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad", "maximize")}
        options["beta1"], options["beta2"] = group["betas"]
        torch._foreach_add_(steps, 1)
        type(self).kernel(parameters, [p.grad for p in parameters], averages, squares, largest, steps, **options)

    def _start_state(self, parameter: Tensor, amsgrad: bool) -> dict[str, Tensor]:
        names = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if amsgrad else []))
        step = torch.zeros((), dtype=torch.float32, device=parameter.device)
        self.state[parameter] = {"step": step, **{name: torch.zeros_like(parameter) for name in names}}
        return self.state[parameter]


def has_hooks(optimizer: optim.Optimizer) -> bool:
    """Whether functions of the user run before or after a step; True if this torch does not tell."""
    if not IS_KNOWN:
        return True
    own = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    return bool(own or _global_optimizer_pre_hooks or _global_optimizer_post_hooks)


class FusedAdamW(FusedOptimizer, optim.AdamW):
    """AdamW."""

    kernel = staticmethod(torch._fused_adamw_) if IS_KNOWN else None  # type: ignore[assignment]


class FusedAdam(FusedOptimizer, optim.Adam):
    """Adam."""

    kernel = staticmethod(torch._fused_adam_) if IS_KNOWN else None  # type: ignore[assignment]
