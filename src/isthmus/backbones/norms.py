"""Batch normalization in a second pass of a training step."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def running_statistics(net: nn.Module) -> Iterator[None]:
    """Let batch normalization use its running statistics inside the block, without updating them."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm) and module.training]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True
