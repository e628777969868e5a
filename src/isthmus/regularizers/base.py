"""The interface of a regularizer."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from torch import Tensor

from isthmus.bottlenecks import Bottleneck, Latent
from isthmus.likelihoods import Likelihood
from isthmus.part import Part, Shapes
from isthmus.priors import Prior


class Step(NamedTuple):
    """Input and intermediate results of a training step.

    Regularizers may call ``encode`` and ``decode``. Batch normalisation then uses its running statistics and does not
    update them, so that the rows of a batch are independent.

    Parameters
    ----------
    x : Tensor of shape (n, *shape)
        Targets of the reconstruction; NaN does not contribute to the loss.
    u : Tensor of shape (n, *input_shape)
        Encoded input.
    h : Tensor of shape (n, *h_shape)
        Output of the encoder.
    latent : Latent
        Output of the bottleneck.
    theta : Tensor of shape (n_draws * n, *parameter_shape)
        Output of the decoder.
    y : Tensor of shape (n, condition) or None
        Encoded labels.
    progress : Tensor of shape ()
        Completed fraction of the training, in [0, 1].
    encode : callable
        Maps encoded input to means of z, (n, *z_shape).
    decode : callable
        Maps z (n, *z_shape) and encoded labels to the output of the decoder.
    code_norms : Tensor of shape (n, k) or None
        Norm of the weights of the first decoder layer for each component of z, in the net of each row.
    bottleneck : Bottleneck
    likelihood : Likelihood
    n_nets : int
        Net i % n_nets processes row i of a batch.
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
    """Base of additional loss terms. They are not part of the bound, and thus not part of the score."""

    role: ClassVar[str] = "regularizer"
    # Prior of models for which the user chooses none; None is that of the bottleneck.
    default_prior: ClassVar[type[Prior] | None] = None
    weight: float

    def build(self, shapes: Shapes, bottleneck: Bottleneck) -> None:
        """Check the parameters and whether the bottleneck is supported; create the tensors.

        Parameters
        ----------
        shapes : Shapes
            Shapes of the encoded input and of labels, and the number of nets.
        bottleneck : Bottleneck
            The bottleneck of the model.
        """
        self.require("weight", lambda v: v >= 0, ">= 0")

    @abstractmethod
    def forward(self, step: Step) -> Tensor | dict[str, Tensor]:
        """Return the weighted terms of a training step.

        Parameters
        ----------
        step : Step
            Input and intermediate results.

        Returns
        -------
        Tensor of shape (n,) or (), or dict of str to Tensor
            The weighted term in nats, or several terms by name.
        """
