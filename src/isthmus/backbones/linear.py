"""Linear encoder and decoder."""

from math import prod

import torch
from torch import Tensor, nn

from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Shape


class Linear(Backbone):
    """Linear encoder and decoder: with squared error, the subspace is that of PCA.

    Parameters
    ----------
    tied : bool, default=False
        Whether the decoder's weights are the transposed weights of the encoder. Inputs and outputs must have the same
        width.

    Raises
    ------
    ValueError
        At ``build``, if weights cannot be tied: with a variational code, flags of missing values, or labels.

    References
    ----------
    Baldi and Hornik, Neural networks and principal component analysis, Neural Networks 2, 1989.

    Examples
    --------
    >>> from isthmus.backbones import Linear
    >>> Linear(tied=True)
    Linear(tied=True)
    """

    def __init__(self, tied: bool = False) -> None:
        super().__init__()
        self.tied = tied

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Create both nets."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        self.layer_width = self.values_per_sample
        n_in, n_out = prod(input_shape), prod(parameter_shape)
        fits = n_in == n_out and h_shape == z_shape and condition_width == 0
        self.require("tied", lambda v: fits or not v, "False with this code, labels or missing values")
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(n_in, h_shape[0]))
        last = _Transposed(self.encoder[1], n_out) if self.tied else nn.Linear(z_shape[0] + condition_width, n_out)
        self.decoder = nn.Sequential(last, nn.Unflatten(1, parameter_shape))

    @property
    def decoder_is_independent(self) -> bool:
        """Whether the weights are not tied."""
        return not self.tied

    def code_norms(self) -> Tensor:
        """Return the norm of the decoder's weights for each component, (1, k)."""
        weight: Tensor = self.encoder[1].weight.T if self.tied else self.decoder[0].weight  # type: ignore[index]
        return weight[None, :, : self.z_shape[0]].norm(dim=1)


class _Transposed(nn.Module):
    """The transposed weights of the encoder, with a separate bias."""

    def __init__(self, linear: nn.Module, n_out: int) -> None:
        super().__init__()
        # The tuple keeps torch from registering the weights a second time.
        self.linear = (linear,)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, z: Tensor) -> Tensor:
        return nn.functional.linear(z, self.linear[0].weight.T, self.bias)  # type: ignore[arg-type]
