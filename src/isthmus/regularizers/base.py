"""The contract of a regularizer."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from torch import Tensor

from isthmus.bottlenecks import Bottleneck, Latent
from isthmus.likelihoods import Likelihood
from isthmus.part import Part, Shapes


class Step(NamedTuple):
    """What happened in a training step.

    Parameters
    ----------
    x : Tensor of shape (n, *shape)
        Values that the reconstruction is judged by; NaN is not judged.
    u : Tensor of shape (n, *input_shape)
        Encoded input.
    h : Tensor of shape (n, *h_shape)
        Output of the encoder.
    latent : Latent
        What the bottleneck made of it.
    theta : Tensor of shape (n_draws * n, *parameter_shape)
        Output of the decoder.
    y : Tensor of shape (n, condition) or None
        Encoded labels.
    progress : Tensor of shape ()
        Share of the training that is done, in [0, 1].
    encode : callable
        From encoded input to the means of codes, (n, k). Batch normalisation uses its running statistics and leaves
        them as they are, so that a row does not depend on its neighbours.
    decode : callable
        From z (n, *z_shape) and encoded labels to the output of the decoder.
    code_norms : Tensor of shape (n, k) or None
        Length of the decoder's first weights for each number of z, those of the net that each row goes through.
    bottleneck : Bottleneck
    likelihood : Likelihood
    n_nets : int
        Row i of a batch goes through net i % n_nets.
    """

    x: Tensor
    u: Tensor
    h: Tensor
    latent: Latent
    theta: Tensor
    y: Tensor | None
    progress: Tensor
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor, Tensor | None], Tensor]
    code_norms: Tensor | None
    bottleneck: Bottleneck
    likelihood: Likelihood
    n_nets: int


class Regularizer(Part):
    """Adds named terms to the loss that do not belong to the bound, and so not to the score."""

    role: ClassVar[str] = "regularizer"
    weight: float

    def build(self, shapes: Shapes, bottleneck: Bottleneck) -> None:
        """Check the parameters, and that the codes of the bottleneck suit the term; make the tensors."""
        self.require("weight", lambda v: v >= 0, ">= 0")

    @abstractmethod
    def forward(self, step: Step) -> Tensor | dict[str, Tensor]:
        """Return the weighted term in nats, of shape (n,) or (); or several terms by name."""
